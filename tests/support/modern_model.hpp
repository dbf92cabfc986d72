// A small model of the kind that the presets train.
#pragma once

#include "picochat/gate/model_config.hpp"

namespace picochat::test {

inline gate::ModelConfig modern_model(int64_t vocab_size, int64_t context_size, int64_t width) {
  gate::ModelConfig config;
  config.vocab_size = vocab_size;
  config.context_size = context_size;
  config.n_embd = width;
  config.n_head = 4;
  config.n_kv_head = 2;
  config.n_layer = 2;
  config.norm_type = gate::NormType::kRmsNorm;
  config.position_encoding = gate::PositionEncoding::kRope;
  config.activation = gate::Activation::kSwiglu;
  config.tie_embeddings = config.qk_norm = true;
  config.linear_bias = false;
  return config;
}

}  // namespace picochat::test
