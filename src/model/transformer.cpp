#include "picochat/model/transformer.hpp"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "model/buffers.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::model {

struct Transformer::State {
  Config config;
  TransformerOptions options;
  int64_t max_rows, max_length;
  bool training;
  ParameterLayout layout;
  std::unique_ptr<ops::Ops> ops;
  int64_t bytes = 0;
  Buffers all;
  RopeTable rope;

  // Views made for the last call; made anew when the batch's size or the flat buffers change.
  int64_t tokens = -1;
  Buffers current;
  at::Tensor parameters, gradients;
  Weights weights, weight_gradients;

  std::vector<int32_t> positions;

  State(const Config& c, int64_t rows, int64_t length, bool train, const TransformerOptions& o)
      : config(c),
        options(o),
        max_rows(rows),
        max_length(length),
        training(train),
        layout(c),
        ops(make_ops(o.device, o.dtype, o.reference)) {}

  void bind(const Batch& batch, const at::Tensor& flat, const at::Tensor* flat_gradients);
  void check(const Batch& batch) const;
  void find_positions(const Batch& batch);
  BlockContext context(const Batch& batch, bool with_dropout) const;
  void forward(const Batch& batch, bool with_dropout);
  HeadTargets checked_targets(const Batch& batch, float uniform_weight, std::vector<int64_t>& active) const;
};

void Transformer::State::check(const Batch& batch) const {
  base::require(batch.rows >= 1 && batch.length >= 1 && batch.rows * batch.length <= max_rows * max_length,
                "a batch fits the arena it was allocated for");
  base::require(batch.length <= max_length, "rows are no longer than the transformer was made for");
  for (int64_t i = 0; i < batch.rows * batch.length; ++i)
    if (batch.tokens[i] < 0 || batch.tokens[i] >= config.vocab_size)
      throw base::internal_error(
          base::cat("token id ", batch.tokens[i], " is outside the vocabulary of ", config.vocab_size));
}

void Transformer::State::find_positions(const Batch& batch) {
  positions.resize(static_cast<size_t>(batch.rows * batch.length));
  for (int64_t row = 0; row < batch.rows; ++row) {
    for (int64_t t = 0, previous = 0; t < batch.length; ++t) {
      const int64_t i = row * batch.length + t, start = batch.segment_start ? batch.segment_start[i] : 0;
      base::require(start >= previous && start <= t, "segment_start is non-decreasing and not beyond its token");
      base::require(t - start < config.context_size, "a segment is no longer than the context");
      positions[static_cast<size_t>(i)] = static_cast<int32_t>(t - start);
      previous = start;
    }
  }
}

void Transformer::State::bind(const Batch& batch, const at::Tensor& flat, const at::Tensor* flat_gradients) {
  check(batch);
  find_positions(batch);
  auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return a.defined() && b.defined() && a.data_ptr() == b.data_ptr() && a.numel() == b.numel();
  };
  auto expect = [&](const at::Tensor& t) {
    base::require(t.scalar_type() == options.dtype && t.device().type() == options.device.type() && t.is_contiguous(),
                  "a flat buffer has the transformer's type and device");
  };
  if (tokens != batch.rows * batch.length) {
    tokens = batch.rows * batch.length;
    current = first_rows(all, tokens);
  }
  if (!same(parameters, flat)) {
    expect(flat);
    parameters = flat;
    weights = bind_weights(config, layout, flat);
  }
  if (flat_gradients && !same(gradients, *flat_gradients)) {
    expect(*flat_gradients);
    gradients = *flat_gradients;
    weight_gradients = bind_weights(config, layout, gradients);
  }
}

BlockContext Transformer::State::context(const Batch& batch, bool with_dropout) const {
  return {config,
          *ops,
          {batch.rows, batch.length, config.n_head, config.n_kv_head, config.head_dim(), batch.segment_start},
          positions.data(),
          rope,
          with_dropout ? config.dropout : 0,
          batch.dropout_key};
}

void Transformer::State::forward(const Batch& batch, bool with_dropout) {
  const BlockContext block_context = context(batch, with_dropout);
  ops->embedding({batch.tokens, static_cast<size_t>(tokens)}, positions.data(), weights.token_embedding,
                 weights.position_embedding, current.embedded);
  for (size_t layer = 0; layer < weights.blocks.size(); ++layer)
    forward_block(block_context, static_cast<int64_t>(layer), weights.blocks[layer], current.blocks[layer],
                  current.shared);
}

HeadTargets Transformer::State::checked_targets(const Batch& batch, float uniform_weight,
                                                std::vector<int64_t>& active) const {
  const HeadTargets targets{batch.targets, batch.weights, uniform_weight, tokens};
  active = active_rows(targets);
  for (int64_t i : active)
    if (batch.targets[i] < 0 || batch.targets[i] >= config.vocab_size)
      throw base::internal_error(
          base::cat("target id ", batch.targets[i], " is outside the vocabulary of ", config.vocab_size));
  return targets;
}

Transformer::Transformer(const Config& config, int64_t max_rows, int64_t max_length, bool training,
                         const TransformerOptions& options)
    : state_(std::make_unique<State>(config, max_rows, max_length, training, options)) {
  base::require(max_rows >= 1 && max_length >= 1, "a transformer has room for a token");
  State& s = *state_;
  Arena measured = Arena::measuring(options.dtype);
  take_buffers(config, measured, max_rows * max_length, training);
  s.bytes = measured.bytes();
  Arena arena = Arena::allocated(options.device, options.dtype, measured.elements());
  s.all = take_buffers(config, arena, max_rows * max_length, training);
  s.rope = make_rope_table(config, options.device, options.dtype);
}

Transformer::~Transformer() = default;
Transformer::Transformer(Transformer&&) noexcept = default;

const Config& Transformer::config() const { return state_->config; }
int64_t Transformer::arena_bytes() const { return state_->bytes; }

int64_t Transformer::arena_bytes(const Config& config, int64_t max_rows, int64_t max_length, bool training,
                                 const TransformerOptions& options) {
  Arena measured = Arena::measuring(options.dtype);
  take_buffers(config, measured, max_rows * max_length, training);
  return measured.bytes();
}

double Transformer::forward_backward(const Batch& batch, const at::Tensor& parameters, const at::Tensor& gradients,
                                     float* nll) {
  State& s = *state_;
  base::require(s.training, "forward_backward() needs a transformer made for training");
  c10::NoGradGuard no_autograd;
  s.bind(batch, parameters, &gradients);
  std::vector<int64_t> active;
  const HeadTargets targets = s.checked_targets(batch, batch.uniform_weight, active);
  if (active.empty()) {  // nothing to learn: no product may turn 0 * infinity into NaN
    if (nll) std::fill_n(nll, s.tokens, 0.0f);
    return 0;
  }
  s.forward(batch, true);
  const double loss = head_loss(s.config, *s.ops, s.weights, &s.weight_gradients, s.current.final, s.current.shared.dx,
                                s.current.head, targets, active, nll);
  const BlockContext context = s.context(batch, true);
  for (size_t layer = s.weights.blocks.size(); layer-- > 0;)
    backward_block(context, static_cast<int64_t>(layer), s.weights.blocks[layer], s.weight_gradients.blocks[layer],
                   s.current.blocks[layer], s.current.shared);
  s.ops->embedding_backward({batch.tokens, static_cast<size_t>(s.tokens)}, s.positions.data(), s.current.shared.dx,
                            s.weight_gradients.token_embedding, s.weight_gradients.position_embedding);
  return loss;
}

void Transformer::score(const Batch& batch, const at::Tensor& parameters, float* nll) {
  State& s = *state_;
  c10::NoGradGuard no_autograd;
  s.bind(batch, parameters, nullptr);
  std::vector<int64_t> active;
  const HeadTargets targets = s.checked_targets(batch, 1, active);
  s.forward(batch, false);
  head_loss(s.config, *s.ops, s.weights, nullptr, s.current.final, {}, s.current.head, targets, active, nll);
}

void Transformer::logits(const Batch& batch, const at::Tensor& parameters, float* out) {
  State& s = *state_;
  c10::NoGradGuard no_autograd;
  s.bind(batch, parameters, nullptr);
  s.forward(batch, false);
  head_logits(s.config, *s.ops, s.weights, s.current.final, s.current.head, out, false);
}

}  // namespace picochat::model
