#include "picochat/model/decoder.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "model/buffers.hpp"
#include "model/device_batch.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::model {

using base::require;

namespace {

constexpr size_t kViews = 64;     // sets of views that are kept
constexpr size_t kFewRows = 256;  // of a prompt; a longer one repays the packing of the weights

// Tokens as a cache holds them: whole steps.
int64_t in_cache_steps(int64_t tokens) { return (tokens + ops::kCacheStep - 1) / ops::kCacheStep * ops::kCacheStep; }

}  // namespace

struct Decoder::State {
  Config config;
  at::Tensor parameters;
  int64_t max_rows, max_length;
  std::unique_ptr<ops::Ops> ops;
  bool on_device = false;
  std::optional<DeviceBatch> staged;
  Weights weights, packed;  // packed: the matrices as steps want them
  RopeTable rope;
  Buffers all;
  std::vector<at::Tensor> keys, values;
  std::vector<int64_t> lengths;

  std::map<int64_t, Buffers> views;  // of `all`, for passes of so many tokens

  int64_t tokens_at_once() const { return std::max(max_rows, max_length); }

  void take(Arena& arena);
  void check(std::span<const Append> items) const;
  // One pass over the new tokens of `items`; returns the residual stream after the last block.
  at::Tensor run(std::span<const Append> items, bool few_rows);
  Weights pack_matrices() const;
  void prefill(const Append& item, float* logits, Logits which);
  void step(std::span<const Append> items, std::span<float* const> logits);
};

Weights Decoder::State::pack_matrices() const {
  Weights result = weights;
  result.head = ops->pack_weight(weights.head);
  for (BlockWeights& block : result.blocks)
    for (at::Tensor* matrix : {&block.qkv, &block.attn_proj, &block.fc, &block.mlp_proj}) *matrix = ops->pack_weight(*matrix);
  return result;
}

void Decoder::State::take(Arena& arena) {
  const int64_t capacity = in_cache_steps(max_length);
  all = take_buffers(config, arena, tokens_at_once(), {.on_device = on_device});
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

at::Tensor Decoder::State::run(std::span<const Append> items, bool few_rows) {
  std::vector<int32_t> ids, positions;
  std::vector<ops::CachedSequence> sequences;
  int64_t longest = 0;
  for (const Append& item : items) {
    const int64_t cached = lengths[static_cast<size_t>(item.row)], count = static_cast<int64_t>(item.tokens.size());
    sequences.push_back({item.row, static_cast<int64_t>(ids.size()), count, cached});
    longest = std::max(longest, cached + count);
    for (int64_t i = 0; i < count; ++i) {
      ids.push_back(static_cast<int32_t>(item.tokens[static_cast<size_t>(i)]));
      positions.push_back(static_cast<int32_t>(cached + i));
    }
  }
  const auto tokens = static_cast<int64_t>(ids.size());
  if (views.size() > kViews) views.clear();
  auto found = views.find(tokens);
  if (found == views.end()) found = views.emplace(tokens, first_rows(all, tokens)).first;
  const Buffers& current = found->second;
  DeviceArrays arrays{.tokens = ids.data(), .positions = positions.data()};
  if (staged) arrays = staged->upload({.rows = 1, .length = tokens, .tokens = ids.data()}, positions);
  const CacheContext cache{sequences, keys, values, few_rows};
  const BlockContext context{config,
                             *ops,
                             {1, longest, config.n_head, config.n_kv_head, config.head_dim(), nullptr},
                             arrays.positions,
                             rope,
                             0,
                             0,
                             &cache};
  ops->embedding({arrays.tokens, ids.size()}, arrays.positions, weights.token_embedding, weights.position_embedding, current.embedded);
  for (size_t layer = 0; layer < weights.blocks.size(); ++layer)
    forward_block(context, static_cast<int64_t>(layer), (few_rows ? packed : weights).blocks[layer], current.blocks[layer], current.shared);
  for (const Append& item : items) lengths[static_cast<size_t>(item.row)] += static_cast<int64_t>(item.tokens.size());
  return current.final;
}

// A prompt runs by itself: its result cannot depend on the other rows, and it is long enough to fill the products.
void Decoder::State::prefill(const Append& item, float* logits, Logits which) {
  at::Tensor x = run({&item, 1}, !on_device && item.tokens.size() <= kFewRows);
  if (which == Logits::kLastToken) x = x.narrow(0, x.size(0) - 1, 1);
  const bool one = x.size(0) == 1;
  head_logits(config, *ops, one ? packed : weights, x, all.head, logits, one);
}

void Decoder::State::step(std::span<const Append> items, std::span<float* const> logits) {
  const at::Tensor x = run(items, true);
  bool adjacent = true;
  for (size_t i = 1; i < logits.size(); ++i) adjacent = adjacent && logits[i] == logits[i - 1] + config.vocab_size;
  if (adjacent) {
    head_logits(config, *ops, packed, x, all.head, logits[0], true);
    return;
  }
  std::vector<float> values(items.size() * static_cast<size_t>(config.vocab_size));
  head_logits(config, *ops, packed, x, all.head, values.data(), true);
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
  TransformerOptions options = given;
  if (options.dtype == at::kFloat) options.dtype = s.parameters.scalar_type();  // float64 in tests
  const at::Device device = options.device;
  const at::ScalarType dtype = options.dtype;
  require(s.parameters.device().type() == device.type() && s.parameters.scalar_type() == statistics_type(dtype), "a decoder's parameters are on its device");
  c10::NoGradGuard no_autograd;
  s.ops = make_ops(options);
  s.on_device = on_device(options);
  const ParameterLayout layout(config);
  at::Tensor matrices;
  if (dtype != s.parameters.scalar_type()) matrices = s.parameters.narrow(0, 0, layout.decay_size()).to(dtype);
  s.weights = bind_weights(config, layout, s.parameters, matrices);
  s.packed = s.pack_matrices();
  s.rope = make_rope_table(config, device, statistics_type(dtype));
  if (s.on_device) s.staged.emplace(device, s.tokens_at_once());
  s.lengths.assign(static_cast<size_t>(max_rows), 0);
  Arena measured = Arena::measuring(dtype);
  s.take(measured);
  Arena arena = Arena::allocated(device, dtype, measured.bytes());
  s.take(arena);
}

Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;

int64_t Decoder::max_rows() const { return state_->max_rows; }
int64_t Decoder::max_length() const { return state_->max_length; }
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

}  // namespace picochat::model
