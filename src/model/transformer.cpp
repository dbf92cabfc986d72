#include "picochat/model/transformer.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "model/buffers.hpp"
#include "model/device_batch.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/device.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::model {

struct Transformer::State {
  Config config;
  TransformerOptions options;
  int64_t max_rows, max_length;
  bool training, on_device;
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

  // With weights that come unit by unit, in place of the flat buffers.
  ParameterSource* source = nullptr;
  std::vector<ParameterUnit> units;
  ParameterSource::UnitBuffers unit_values;
  at::Tensor outer_matrices, block_matrices;  // copies in the type that computes, when that is another
  int64_t fetched_block = -1;

  std::vector<int32_t> positions;
  double loss = 0;

  // On a device.
  std::optional<DeviceBatch> staged;
  at::Tensor matrices;         // the first region of the parameters in the type that computes, when that is another
  bool matrices_stale = true;
  at::Tensor device_loss;      // [1], float64
  CapturedWork graph;
  enum class GraphState { kOff, kWarmingUp, kCaptured } graph_state = GraphState::kOff;
  int64_t warm_calls = 0;
  Batch captured;              // its shape; the arrays lie where they lay

  State(const Config& c, int64_t rows, int64_t length, bool train, const TransformerOptions& o)
      : config(c),
        options(o),
        max_rows(rows),
        max_length(length),
        training(train),
        on_device(model::on_device(o)),
        layout(c),
        ops(make_ops(o)) {}

  BufferPlan plan() const { return {training, options.recompute, on_device, on_device && !options.reference}; }
  bool copies_matrices() const { return options.dtype != statistics_type(options.dtype); }
  void bind(const Batch& batch, const Parameters& from, const at::Tensor* flat_gradients);
  void bind_flat(const at::Tensor& flat, const at::Tensor* flat_gradients);
  void bind_source(ParameterSource& from);
  void fetch(int64_t unit);
  void fetch_block(size_t layer);
  void reduce(int64_t unit);
  void pass_units();
  void check(const Batch& batch) const;
  void find_positions(const Batch& batch);
  BlockContext context(const Batch& batch, const DeviceArrays& arrays, bool with_dropout) const;
  DeviceArrays arrays_of(const Batch& batch);
  void forward(const BlockContext& block_context, const DeviceArrays& arrays);
  void backward(const BlockContext& block_context, const DeviceArrays& arrays);
  HeadTargets checked_targets(const Batch& batch, float uniform_weight, std::vector<int64_t>& active) const;
  void run_on_device(const Batch& batch, const DeviceArrays& arrays);
  void run_captured(const Batch& batch, const DeviceArrays& arrays);
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

void Transformer::State::bind(const Batch& batch, const Parameters& from, const at::Tensor* flat_gradients) {
  check(batch);
  find_positions(batch);
  if (tokens != batch.rows * batch.length) {
    tokens = batch.rows * batch.length;
    current = first_rows(all, tokens);
  }
  from.source ? bind_source(*from.source) : bind_flat(from.flat, flat_gradients);
}

// Every block has the same views: the source fills one buffer with each in turn.
void Transformer::State::bind_source(ParameterSource& from) {
  fetched_block = -1;
  if (source == &from) return;
  source = &from;
  parameters = gradients = at::Tensor();
  if (units.empty()) units = parameter_units(layout);
  unit_values = from.buffers();
  if (copies_matrices()) {
    outer_matrices = at::empty({units[0].decay_size}, unit_values.outer.options().dtype(options.dtype));
    block_matrices = at::empty({units[1].decay_size}, unit_values.block.options().dtype(options.dtype));
  }
  weights = bind_units(config, layout, units, unit_values.outer, unit_values.block, outer_matrices, block_matrices);
  if (training) weight_gradients = bind_units(config, layout, units, unit_values.outer_gradients, unit_values.block_gradients);
}

void Transformer::State::fetch(int64_t unit) {
  if (!source) return;
  source->gather(unit);
  if (!copies_matrices()) return;
  const at::Tensor &to = unit == 0 ? outer_matrices : block_matrices, &values = unit == 0 ? unit_values.outer : unit_values.block;
  to.copy_(values.narrow(0, 0, to.numel()));
}

void Transformer::State::fetch_block(size_t layer) {
  const auto unit = static_cast<int64_t>(layer) + 1;
  if (!source || fetched_block == unit) return;
  fetch(unit);
  fetched_block = unit;
}

void Transformer::State::reduce(int64_t unit) {
  if (source) source->reduce(unit);
}

// The collectives of a micro-step without its arithmetic: another rank may have something to learn from its batch.
void Transformer::State::pass_units() {
  if (!source) return;
  fetch(0);
  for (size_t layer = 0; layer < weights.blocks.size(); ++layer) fetch_block(layer);
  for (size_t layer = weights.blocks.size(); layer-- > 0;) {
    fetch_block(layer);
    reduce(static_cast<int64_t>(layer) + 1);
  }
  reduce(0);
}

void Transformer::State::bind_flat(const at::Tensor& flat, const at::Tensor* flat_gradients) {
  source = nullptr;
  auto same = [](const at::Tensor& a, const at::Tensor& b) {
    return a.defined() && b.defined() && a.data_ptr() == b.data_ptr() && a.numel() == b.numel();
  };
  auto expect = [&](const at::Tensor& t) {
    base::require(t.scalar_type() == statistics_type(options.dtype) && t.device().type() == options.device.type() && t.is_contiguous(),
                  "a flat buffer has the transformer's type and device");
  };
  const bool other_parameters = !same(parameters, flat);
  if (other_parameters) expect(flat);
  if (copies_matrices() && (other_parameters || matrices_stale)) {
    const at::Tensor from = flat.narrow(0, 0, layout.decay_size());
    if (!matrices.defined()) matrices = at::empty({layout.decay_size()}, flat.options().dtype(options.dtype));
    matrices.copy_(from);
    matrices_stale = false;
  }
  if (other_parameters) {
    parameters = flat;
    weights = bind_weights(config, layout, flat, matrices);
  }
  const bool other_gradients = flat_gradients && !same(gradients, *flat_gradients);
  if (other_gradients) {
    expect(*flat_gradients);
    gradients = *flat_gradients;
    weight_gradients = bind_weights(config, layout, gradients);
  }
  if ((other_parameters || other_gradients) && graph_state == GraphState::kCaptured) {
    graph_state = GraphState::kWarmingUp;  // the norm weights and the gradients lie elsewhere now
    warm_calls = 0;
  }
}

BlockContext Transformer::State::context(const Batch& batch, const DeviceArrays& arrays, bool with_dropout) const {
  return {config,
          *ops,
          {batch.rows, batch.length, config.n_head, config.n_kv_head, config.head_dim(), arrays.segment_start, arrays.segment_offsets, arrays.segments},
          arrays.positions,
          rope,
          with_dropout ? config.dropout : 0,
          batch.dropout_key};
}

// Where the operations find the batch: as it is, or copied to the device.
DeviceArrays Transformer::State::arrays_of(const Batch& batch) {
  if (staged) return staged->upload(batch, positions);
  return {.tokens = batch.tokens, .positions = positions.data(), .targets = batch.targets, .segment_start = batch.segment_start};
}

void Transformer::State::forward(const BlockContext& block_context, const DeviceArrays& arrays) {
  fetch(0);
  ops->embedding({arrays.tokens, static_cast<size_t>(tokens)}, arrays.positions, weights.token_embedding,
                 weights.position_embedding, current.embedded);
  for (size_t layer = 0; layer < weights.blocks.size(); ++layer) {
    fetch_block(layer);
    forward_block(block_context, static_cast<int64_t>(layer), weights.blocks[layer], current.blocks[layer],
                  current.shared);
  }
}

// From the gradient of the last block's output, which the head has left in shared.dx.
void Transformer::State::backward(const BlockContext& block_context, const DeviceArrays& arrays) {
  const size_t last = weights.blocks.size() - 1;
  for (size_t layer = weights.blocks.size(); layer-- > 0;) {
    const auto number = static_cast<int64_t>(layer);
    fetch_block(layer);
    if (options.recompute && layer != last) forward_block(block_context, number, weights.blocks[layer], current.blocks[layer], current.shared);
    backward_block(block_context, number, weights.blocks[layer], weight_gradients.blocks[layer], current.blocks[layer], current.shared);
    reduce(number + 1);
  }
  ops->embedding_backward({arrays.tokens, static_cast<size_t>(tokens)}, arrays.positions, current.shared.dx,
                          weight_gradients.token_embedding, weight_gradients.position_embedding);
  reduce(0);
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

// Everything that a micro-step asks of the device, after its arrays are there.
void Transformer::State::run_on_device(const Batch& batch, const DeviceArrays& arrays) {
  const BlockContext block_context = context(batch, arrays, true);
  forward(block_context, arrays);
  head_loss_on_device(config, *ops, weights, &weight_gradients, current.final, current.shared.dx, current.head, arrays.targets, arrays.weights, staged->nll(tokens).data_ptr<double>());
  staged->add_loss(tokens, device_loss);
  backward(block_context, arrays);
}

// The first calls run as they are, so that libraries have made their plans and workspaces; the next is captured.
void Transformer::State::run_captured(const Batch& batch, const DeviceArrays& arrays) {
  constexpr int64_t kWarmCalls = 2;
  const bool fits = !batch.segment_start && config.dropout == 0 && !source;
  if (graph_state == GraphState::kOff || !fits) return run_on_device(batch, arrays);
  const bool same_shape = captured.rows == batch.rows && captured.length == batch.length;
  if (graph_state == GraphState::kCaptured && same_shape) return graph.replay();
  if (graph_state == GraphState::kCaptured || !same_shape) warm_calls = 0;
  graph_state = GraphState::kWarmingUp;
  captured = batch;
  if (warm_calls++ < kWarmCalls) return run_on_device(batch, arrays);
  const std::string why_not = graph.capture([&] { run_on_device(batch, arrays); });
  if (why_not.empty()) {
    graph_state = GraphState::kCaptured;
    return graph.replay();
  }
  base::warn(base::cat("CUDA graph: the micro-step cannot be captured and runs as it is, slower: ", why_not));
  graph_state = GraphState::kOff;
  run_on_device(batch, arrays);
}

Transformer::Transformer(const Config& config, int64_t max_rows, int64_t max_length, bool training,
                         const TransformerOptions& options)
    : state_(std::make_unique<State>(config, max_rows, max_length, training, options)) {
  base::require(max_rows >= 1 && max_length >= 1, "a transformer has room for a token");
  State& s = *state_;
  Arena measured = Arena::measuring(options.dtype);
  take_buffers(config, measured, max_rows * max_length, s.plan());
  s.bytes = measured.bytes() + attention_bytes(config, max_rows * max_length, s.plan(), options.dtype);
  Arena arena = Arena::allocated(options.device, options.dtype, measured.bytes());
  s.all = take_buffers(config, arena, max_rows * max_length, s.plan());
  s.rope = make_rope_table(config, options.device, statistics_type(options.dtype));
  if (!s.on_device) return;
  s.staged.emplace(options.device, max_rows * max_length);
  s.device_loss = at::zeros({1}, at::TensorOptions().device(options.device).dtype(at::kDouble));
  if (options.graph && options.device.is_cuda()) s.graph_state = State::GraphState::kWarmingUp;
}

Transformer::~Transformer() = default;
Transformer::Transformer(Transformer&&) noexcept = default;

const Config& Transformer::config() const { return state_->config; }
int64_t Transformer::arena_bytes() const { return state_->bytes; }

int64_t Transformer::arena_bytes(const Config& config, int64_t max_rows, int64_t max_length, bool training,
                                 const TransformerOptions& options) {
  Arena measured = Arena::measuring(options.dtype);
  const BufferPlan plan{training, options.recompute, on_device(options), on_device(options) && !options.reference};
  take_buffers(config, measured, max_rows * max_length, plan);
  return measured.bytes() + attention_bytes(config, max_rows * max_length, plan, options.dtype);
}

void Transformer::accumulate(const Batch& batch, const Parameters& parameters, const at::Tensor& gradients, float* nll) {
  State& s = *state_;
  base::require(s.training, "gradients need a transformer made for training");
  c10::NoGradGuard no_autograd;
  s.bind(batch, parameters, &gradients);
  std::vector<int64_t> active;
  const HeadTargets targets = s.checked_targets(batch, batch.uniform_weight, active);
  if (active.empty()) {  // nothing to learn: no product may turn 0 * infinity into NaN
    s.pass_units();
    if (nll) std::fill_n(nll, s.tokens, 0.0f);
    return;
  }
  const DeviceArrays arrays = s.arrays_of(batch);
  if (s.on_device) {
    s.run_captured(batch, arrays);
    if (nll) s.staged->copy_nll(s.tokens, nll);
    return;
  }
  const BlockContext context = s.context(batch, arrays, true);
  s.forward(context, arrays);
  s.loss += head_loss(s.config, *s.ops, s.weights, &s.weight_gradients, s.current.final, s.current.shared.dx,
                      s.current.head, targets, active, nll);
  s.backward(context, arrays);
}

double Transformer::take_loss() {
  State& s = *state_;
  double loss = std::exchange(s.loss, 0);
  if (s.on_device) {
    loss = s.device_loss.item<double>();
    s.device_loss.zero_();
  }
  return loss;
}

double Transformer::forward_backward(const Batch& batch, const at::Tensor& parameters, const at::Tensor& gradients,
                                     float* nll) {
  accumulate(batch, parameters, gradients, nll);
  return take_loss();
}

void Transformer::parameters_changed() { state_->matrices_stale = true; }

std::string Transformer::attention_used() const { return state_->ops->attention_used(); }

void Transformer::score(const Batch& batch, const Parameters& parameters, float* nll) {
  State& s = *state_;
  c10::NoGradGuard no_autograd;
  s.bind(batch, parameters, nullptr);
  std::vector<int64_t> active;
  const HeadTargets targets = s.checked_targets(batch, 1, active);
  Batch weighed = batch;
  if (!batch.weights) weighed.uniform_weight = 1;
  const DeviceArrays arrays = s.arrays_of(weighed);
  s.forward(s.context(batch, arrays, false), arrays);
  if (s.on_device) {
    head_loss_on_device(s.config, *s.ops, s.weights, nullptr, s.current.final, {}, s.current.head, arrays.targets, arrays.weights, s.staged->nll(s.tokens).data_ptr<double>());
    s.staged->copy_nll(s.tokens, nll);
  } else {
    head_loss(s.config, *s.ops, s.weights, nullptr, s.current.final, {}, s.current.head, targets, active, nll);
  }
}

void Transformer::logits(const Batch& batch, const at::Tensor& parameters, float* out) {
  State& s = *state_;
  c10::NoGradGuard no_autograd;
  s.bind(batch, Parameters(parameters), nullptr);
  const DeviceArrays arrays = s.arrays_of(batch);
  s.forward(s.context(batch, arrays, false), arrays);
  head_logits(s.config, *s.ops, s.weights, s.current.final, s.current.head, out, ops::WeightForm::kPlain);
}

}  // namespace picochat::model
