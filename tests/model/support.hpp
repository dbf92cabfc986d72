// What the tests of this room share: the configs of interest, random batches, flat buffers.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "picochat/base/random.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/model/transformer.hpp"

namespace picochat::model {

struct NamedConfig {
  std::string name;
  Config config;
};

inline Config small_config() {
  Config c;
  c.vocab_size = 61;
  c.context_size = 40;
  c.n_embd = 48;
  c.n_head = 4;
  c.n_kv_head = 2;
  c.n_layer = 2;
  c.initializer_range = 0.2;  // large enough for every path to matter
  return c;
}

inline Config parallel_config() {
  Config c = small_config();
  c.norm_type = NormType::kRmsNorm;
  c.position_encoding = PositionEncoding::kRope;
  c.activation = Activation::kSwiglu;
  c.tie_embeddings = c.qk_norm = c.parallel_residual = true;
  c.linear_bias = false;
  return c;
}

inline std::vector<NamedConfig> interesting_configs() {
  std::vector<NamedConfig> all;
  auto add = [&](const char* name, Config base, auto change) {
    change(base);
    all.push_back({name, base});
  };
  add("presets_of_the_gpu_scales", parallel_config(), [](Config&) {});
  add("sequential_qwen3_like", parallel_config(), [](Config& c) { c.parallel_residual = false; });
  add("imported_with_another_ffn_width", parallel_config(), [](Config& c) {
    c.parallel_residual = c.qk_norm = false;
    c.ffn_width = 83;
  });
  add("classic_gpt", small_config(), [](Config& c) { c.n_kv_head = 4; });
  add("classic_gpt_parallel_tied", small_config(), [](Config& c) { c.parallel_residual = c.tie_embeddings = true; });
  add("rms_rope_relu2_biases", small_config(), [](Config& c) {
    c.norm_type = NormType::kRmsNorm;
    c.position_encoding = PositionEncoding::kRope;
    c.activation = Activation::kRelu2;
  });
  add("softcap", parallel_config(), [](Config& c) { c.logit_softcap = 3; });
  add("qk_norm_without_rope_one_kv_head", small_config(), [](Config& c) {
    c.qk_norm = true;
    c.n_kv_head = 1;
  });
  add("swiglu_layernorm_untied_rope", small_config(), [](Config& c) {
    c.activation = Activation::kSwiglu;
    c.position_encoding = PositionEncoding::kRope;
  });
  add("odd_sizes", small_config(), [](Config& c) {
    c.n_embd = 35;
    c.n_head = 5;
    c.n_kv_head = 5;
    c.n_layer = 3;
    c.vocab_size = 37;
  });
  add("odd_head_rope_gelu_sequential", small_config(), [](Config& c) {
    c.n_embd = 30;
    c.n_head = 3;
    c.n_kv_head = 1;
    c.position_encoding = PositionEncoding::kRope;
    c.qk_norm = true;
    c.norm_type = NormType::kRmsNorm;
  });
  return all;
}

struct OwnedBatch {
  int64_t rows, length;
  std::vector<int32_t> tokens, targets, segment_start;
  std::vector<float> weights;

  Batch batch() const {
    Batch b;
    b.rows = rows;
    b.length = length;
    b.tokens = tokens.data();
    b.targets = targets.data();
    b.weights = weights.empty() ? nullptr : weights.data();
    b.uniform_weight = 1.0f / static_cast<float>(rows * length);
    b.segment_start = segment_start.empty() ? nullptr : segment_start.data();
    return b;
  }
};

inline OwnedBatch random_batch(const Config& config, int64_t rows, int64_t length, uint64_t seed) {
  base::Random random(seed, "test batch");
  OwnedBatch b{rows, length, {}, {}, {}, {}};
  for (int64_t i = 0; i < rows * length; ++i) {
    b.tokens.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(config.vocab_size))));
    b.targets.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(config.vocab_size))));
  }
  return b;
}

inline void add_random_weights(OwnedBatch& b, uint64_t seed) {
  base::Random random(seed, "test weights");
  for (size_t i = 0; i < b.tokens.size(); ++i)
    b.weights.push_back(random.uniform() < 0.4 ? 0.0f : static_cast<float>(random.uniform() - 0.3));
}

inline void add_random_segments(OwnedBatch& b, uint64_t seed) {
  base::Random random(seed, "test segments");
  for (int64_t row = 0; row < b.rows; ++row)
    for (int32_t t = 0, start = 0; t < b.length; ++t) {
      if (random.uniform() < 0.2) start = t;
      b.segment_start.push_back(start);
    }
}

// Initialised parameters with norm weights and biases moved off 1 and 0, so that every term counts.
inline at::Tensor test_parameters(const Config& config, uint64_t seed = 7) {
  const ParameterLayout layout(config);
  at::Tensor flat = allocate_flat(layout.size());
  initialize(config, seed, flat);
  for (const auto& entry : layout.entries()) {
    if (entry.decay) continue;
    base::Random random(seed, entry.name);
    float* values = flat.data_ptr<float>() + entry.offset;
    for (int64_t i = 0; i < entry.count; ++i) values[i] += static_cast<float>(0.3 * random.normal());
  }
  return flat;
}

inline double relative_error(const at::Tensor& value, const at::Tensor& expected) {
  const double norm = expected.to(at::kDouble).norm().item<double>();
  const double difference = (value.to(at::kDouble) - expected.to(at::kDouble)).norm().item<double>();
  return norm > 0 ? difference / norm : difference;
}

}  // namespace picochat::model
