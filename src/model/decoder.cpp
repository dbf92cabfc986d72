#include "picochat/model/decoder.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "model/buffers.hpp"
#include "model/device_batch.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::model {

using base::require;

namespace {

constexpr size_t kViews = 64;     // sets of views that are kept
constexpr size_t kFewRows = 256;  // of a prompt; a longer one repays the packing of the weights
// A step is cut into lanes, one for each thread, where that leaves each of them this many rows and the matrices stay in a
// cache that threads share: threads that meet after every product wait for one another most of the time.
constexpr size_t kLaneRows = 4;
constexpr int64_t kLaneMatrixBytes = int64_t{16} << 20;

// Tokens as a cache holds them: whole steps.
int64_t in_cache_steps(int64_t tokens) { return (tokens + ops::kCacheStep - 1) / ops::kCacheStep * ops::kCacheStep; }

// Calls `take` to measure, then with memory of that size.
template <typename Take>
void take_from_arena(const TransformerOptions& options, Take take) {
  Arena measured = Arena::measuring(options.dtype);
  take(measured);
  Arena arena = Arena::allocated(options.device, options.dtype, measured.bytes());
  take(arena);
}

}  // namespace

struct Decoder::State {
  // What one pass at a time computes in.
  struct Lane {
    std::unique_ptr<ops::Ops> ops;
    Buffers all;
    std::map<int64_t, Buffers> views = {};  // of `all`, for passes of so many tokens

    const Buffers& buffers(int64_t tokens);
  };

  Config config;
  at::Tensor parameters;
  int64_t max_rows, max_length;
  TransformerOptions options;
  bool on_device = false;
  std::optional<DeviceBatch> staged;
  Weights weights, packed, rounded;  // the same matrices; rounded: when there are drafts
  RopeTable rope;
  Lane whole;
  std::vector<Lane> lanes;
  std::vector<at::Tensor> keys, values;
  std::vector<int64_t> lengths;
  int64_t matrix_bytes = 0;

  int64_t tokens_at_once() const { return std::max(max_rows, max_length); }
  bool has_cpu_kernels() const { return !on_device && !options.reference; }

  void take(Arena& arena);
  void check(std::span<const Append> items) const;
  const Weights& weights_as(ops::WeightForm form) const;
  template <typename Change>
  Weights with_matrices(Change change) const;
  // One pass over the new tokens of `items`; returns the residual stream after the last block.
  at::Tensor run(Lane& lane, std::span<const Append> items, ops::WeightForm form, bool each = false);
  void prefill(const Append& item, float* logits, Logits which);
  void step(std::span<const Append> items, std::span<float* const> logits);
  void step_in(Lane& lane, std::span<const Append> items, std::span<float* const> logits);
  void need_lanes(size_t count);
};

const Buffers& Decoder::State::Lane::buffers(int64_t tokens) {
  if (views.size() > kViews) views.clear();
  auto found = views.find(tokens);
  if (found == views.end()) found = views.emplace(tokens, first_rows(all, tokens)).first;
  return found->second;
}

const Weights& Decoder::State::weights_as(ops::WeightForm form) const {
  return form == ops::WeightForm::kPlain ? weights : form == ops::WeightForm::kPacked ? packed : rounded;
}

template <typename Change>
Weights Decoder::State::with_matrices(Change change) const {
  Weights result = weights;
  result.head = change(weights.head);
  for (BlockWeights& block : result.blocks)
    for (at::Tensor* matrix : {&block.qkv, &block.attn_proj, &block.fc, &block.mlp_proj}) *matrix = change(*matrix);
  return result;
}

void Decoder::State::take(Arena& arena) {
  const int64_t capacity = in_cache_steps(max_length);
  whole.all = take_buffers(config, arena, tokens_at_once(), {.on_device = on_device});
  keys.clear();
  values.clear();
  for (auto* cache : {&keys, &values})
    for (int64_t layer = 0; layer < config.n_layer; ++layer) {
      at::Tensor memory = arena.take(max_rows * config.n_kv_head * capacity, config.head_dim());
      if (memory.defined()) memory = memory.view({max_rows, config.n_kv_head, capacity, config.head_dim()});
      cache->push_back(memory);
    }
}

void Decoder::State::check(std::span<const Append> items) const {
  std::vector<bool> seen(static_cast<size_t>(max_rows));
  for (const Append& item : items) {
    require(item.row >= 0 && item.row < max_rows, "a decoder row exists");
    require(!seen[static_cast<size_t>(item.row)], "a decoder row is advanced once in a call");
    seen[static_cast<size_t>(item.row)] = true;
    require(!item.tokens.empty(), "a decoder row is advanced by at least one token");
    require(lengths[static_cast<size_t>(item.row)] + static_cast<int64_t>(item.tokens.size()) <= max_length,
            "a sequence stays within the decoder's length");
    for (TokenId token : item.tokens)
      if (static_cast<int64_t>(token) >= config.vocab_size)
        throw base::internal_error(base::cat("token id ", token, " is outside the vocabulary of ", config.vocab_size));
  }
}

at::Tensor Decoder::State::run(Lane& lane, std::span<const Append> items, ops::WeightForm form, bool each) {
  std::vector<int32_t> ids, positions;
  std::vector<ops::CachedSequence> sequences;
  int64_t longest = 0;
  for (const Append& item : items) {
    const int64_t cached = lengths[static_cast<size_t>(item.row)], count = static_cast<int64_t>(item.tokens.size());
    sequences.push_back({item.row, static_cast<int64_t>(ids.size()), count, cached, each});
    longest = std::max(longest, cached + count);
    for (int64_t i = 0; i < count; ++i) {
      ids.push_back(static_cast<int32_t>(item.tokens[static_cast<size_t>(i)]));
      positions.push_back(static_cast<int32_t>(cached + i));
    }
  }
  const auto tokens = static_cast<int64_t>(ids.size());
  const Buffers& current = lane.buffers(tokens);
  DeviceArrays arrays{.tokens = ids.data(), .positions = positions.data()};
  if (staged) arrays = staged->upload({.rows = 1, .length = tokens, .tokens = ids.data()}, positions);
  const CacheContext cache{sequences, keys, values, form};
  const BlockContext context{config,
                             *lane.ops,
                             {1, longest, config.n_head, config.n_kv_head, config.head_dim(), nullptr},
                             arrays.positions,
                             rope,
                             0,
                             0,
                             &cache};
  lane.ops->embedding({arrays.tokens, ids.size()}, arrays.positions, weights.token_embedding, weights.position_embedding, current.embedded);
  for (size_t layer = 0; layer < weights.blocks.size(); ++layer)
    forward_block(context, static_cast<int64_t>(layer), weights_as(form).blocks[layer], current.blocks[layer], current.shared);
  for (const Append& item : items) lengths[static_cast<size_t>(item.row)] += static_cast<int64_t>(item.tokens.size());
  return current.final;
}

// A prompt runs by itself: its result cannot depend on the other rows, and it is long enough to fill the products.
void Decoder::State::prefill(const Append& item, float* logits, Logits which) {
  const auto form = [](bool few) { return few ? ops::WeightForm::kPacked : ops::WeightForm::kPlain; };
  at::Tensor x = run(whole, {&item, 1}, form(!on_device && item.tokens.size() <= kFewRows));
  if (which == Logits::kLastToken) x = x.narrow(0, x.size(0) - 1, 1);
  const ops::WeightForm last = form(x.size(0) == 1);
  head_logits(config, *whole.ops, weights_as(last), x, whole.all.head, logits, last);
}

void Decoder::State::need_lanes(size_t count) {
  while (lanes.size() < count) {
    Lane lane{make_ops(options), {}};
    take_from_arena(options, [&](Arena& arena) { lane.all = take_buffers(config, arena, max_rows, {}); });
    lanes.push_back(std::move(lane));
  }
}

void Decoder::State::step(std::span<const Append> items, std::span<float* const> logits) {
  const size_t count = std::min(static_cast<size_t>(compute_threads()), items.size() / kLaneRows);
  if (!has_cpu_kernels() || count < 2 || matrix_bytes > kLaneMatrixBytes) return step_in(whole, items, logits);
  need_lanes(count);
  std::vector<std::exception_ptr> failures(count);
#pragma omp parallel for schedule(static, 1) num_threads(static_cast<int>(count))
  for (size_t lane = 0; lane < count; ++lane) {
    try {
      c10::NoGradGuard no_autograd;
      const size_t begin = items.size() * lane / count, end = items.size() * (lane + 1) / count;
      step_in(lanes[lane], items.subspan(begin, end - begin), logits.subspan(begin, end - begin));
    } catch (...) {
      failures[lane] = std::current_exception();
    }
  }
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

void Decoder::State::step_in(Lane& lane, std::span<const Append> items, std::span<float* const> logits) {
  const at::Tensor x = run(lane, items, ops::WeightForm::kPacked);
  bool adjacent = true;
  for (size_t i = 1; i < logits.size(); ++i) adjacent = adjacent && logits[i] == logits[i - 1] + config.vocab_size;
  if (adjacent) {
    head_logits(config, *lane.ops, packed, x, lane.all.head, logits[0], ops::WeightForm::kPacked);
    return;
  }
  std::vector<float> values(items.size() * static_cast<size_t>(config.vocab_size));
  head_logits(config, *lane.ops, packed, x, lane.all.head, values.data(), ops::WeightForm::kPacked);
  for (size_t i = 0; i < items.size(); ++i)
    std::copy_n(values.data() + i * static_cast<size_t>(config.vocab_size), config.vocab_size, logits[i]);
}

Decoder::Decoder(const Config& config, at::Tensor parameters, int64_t max_rows, int64_t max_length, const TransformerOptions& given)
    : state_(std::make_unique<State>()) {
  require(max_rows >= 1 && max_length >= 1 && max_length <= config.context_size,
          "a decoder's length is within the context");
  State& s = *state_;
  s.config = config;
  s.parameters = std::move(parameters);
  s.max_rows = max_rows;
  s.max_length = max_length;
  s.options = given;
  TransformerOptions& options = s.options;
  if (options.dtype == at::kFloat) options.dtype = s.parameters.scalar_type();  // float64 in tests
  const at::Device device = options.device;
  const at::ScalarType dtype = options.dtype;
  require(s.parameters.device().type() == device.type() && s.parameters.scalar_type() == statistics_type(dtype), "a decoder's parameters are on its device");
  c10::NoGradGuard no_autograd;
  s.whole.ops = make_ops(options);
  s.on_device = on_device(options);
  const ParameterLayout layout(config);
  at::Tensor matrices;
  if (dtype != s.parameters.scalar_type()) matrices = s.parameters.narrow(0, 0, layout.decay_size()).to(dtype);
  s.weights = bind_weights(config, layout, s.parameters, matrices);
  s.packed = s.with_matrices([&](const at::Tensor& matrix) {
    s.matrix_bytes += static_cast<int64_t>(matrix.nbytes());
    return s.whole.ops->pack_weight(matrix);
  });
  s.rope = make_rope_table(config, device, statistics_type(dtype));
  if (s.on_device) s.staged.emplace(device, s.tokens_at_once());
  s.lengths.assign(static_cast<size_t>(max_rows), 0);
  take_from_arena(options, [&](Arena& arena) { s.take(arena); });
}

Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;

int64_t Decoder::max_rows() const { return state_->max_rows; }
int64_t Decoder::max_length() const { return state_->max_length; }
int64_t Decoder::vocab_size() const { return state_->config.vocab_size; }
int64_t Decoder::length(int64_t row) const { return state_->lengths.at(static_cast<size_t>(row)); }
void Decoder::reset(int64_t row) { truncate(row, 0); }

void Decoder::truncate(int64_t row, int64_t length) {
  int64_t& current = state_->lengths.at(static_cast<size_t>(row));
  require(length >= 0 && length <= current, "a decoder row is cut to a length that it has");
  current = length;
}

void Decoder::copy_row(int64_t from, int64_t to) {
  State& s = *state_;
  const int64_t length = s.lengths.at(static_cast<size_t>(from)), copied = in_cache_steps(length);
  s.lengths.at(static_cast<size_t>(to)) = length;
  if (from == to) return;
  for (auto* cache : {&s.keys, &s.values})
    for (at::Tensor& layer : *cache)
      layer.select(0, to).narrow(1, 0, copied).copy_(layer.select(0, from).narrow(1, 0, copied));
}

void Decoder::append(std::span<const Append> items, float* logits, Logits which) {
  State& s = *state_;
  c10::NoGradGuard no_autograd;
  s.check(items);
  std::vector<Append> steps;
  std::vector<float*> step_logits;
  for (const Append& item : items) {
    if (item.tokens.size() == 1) {
      steps.push_back(item);
      step_logits.push_back(logits);
    } else {
      s.prefill(item, logits, which);
    }
    logits += s.config.vocab_size * (which == Logits::kAllTokens ? static_cast<int64_t>(item.tokens.size()) : 1);
  }
  if (!steps.empty()) s.step(steps, step_logits);
}

void Decoder::append_each(std::span<const Append> items, float* logits) {
  State& s = *state_;
  c10::NoGradGuard no_autograd;
  s.check(items);
  const at::Tensor x = s.run(s.whole, items, ops::WeightForm::kPacked, true);
  head_logits(s.config, *s.whole.ops, s.packed, x, s.whole.all.head, logits, ops::WeightForm::kPacked);
}

bool Decoder::can_draft() const { return state_->has_cpu_kernels(); }
int64_t Decoder::matrix_bytes() const { return state_->matrix_bytes; }

void Decoder::draft(std::span<const Append> items, float* logits) {
  State& s = *state_;
  c10::NoGradGuard no_autograd;
  s.check(items);
  for (const Append& item : items) require(item.tokens.size() == 1, "a draft is of one token");
  if (s.rounded.blocks.empty()) s.rounded = s.with_matrices([&](const at::Tensor& matrix) { return s.whole.ops->round_weight(matrix); });
  const at::Tensor x = s.run(s.whole, items, ops::WeightForm::kRounded);
  head_logits(s.config, *s.whole.ops, s.rounded, x, s.whole.all.head, logits, ops::WeightForm::kRounded);
}

}  // namespace picochat::model
