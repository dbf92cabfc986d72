// The shape of a model: what a preset says, what a checkpoint records, what budgets are computed
// from. It needs no LibTorch, so preflight can judge a run on a laptop.
#pragma once

#include <cstdint>
#include <string>

#include "picochat/base/json.hpp"

namespace picochat::gate {

enum class NormType { kLayerNorm, kRmsNorm };
enum class PositionEncoding { kLearned, kRope };
enum class Activation { kGelu, kRelu2, kSwiglu };

struct ModelConfig {
  int64_t vocab_size = 0;
  int64_t context_size = 128;
  int64_t n_embd = 64;
  int64_t n_head = 4;
  int64_t n_kv_head = 4;
  int64_t n_layer = 2;
  int64_t ffn_width = 0;  // of imported models; 0: ffn_dim() follows from n_embd
  NormType norm_type = NormType::kLayerNorm;
  PositionEncoding position_encoding = PositionEncoding::kLearned;
  Activation activation = Activation::kGelu;
  bool tie_embeddings = false;
  bool qk_norm = false;
  bool parallel_residual = false;  // x + Attn(n(x)) + MLP(n(x)) with one shared norm; else sequential with two
  bool linear_bias = true;
  bool scaled_residual_init = false;  // output projections start at initializer_range / sqrt(2 * n_layer)
  double dropout = 0;
  double logit_softcap = 0;  // c > 0: logits = c * tanh(logits / c)
  double rope_base = 10000;
  double norm_eps = 1e-6;
  double initializer_range = 0.02;

  int64_t head_dim() const { return n_embd / n_head; }
  int64_t kv_dim() const { return n_kv_head * head_dim(); }
  int64_t qkv_dim() const { return n_embd + 2 * kv_dim(); }
  // ffn_width where it is given. Else SwiGLU: 8/3 of the width rounded to the nearest multiple of 64 (at least 64); else 4x the width.
  int64_t ffn_dim() const;
  void set_ffn_dim(int64_t width, const std::string& where);  // SwiGLU alone may have another one
  int64_t norms_per_block() const { return parallel_residual ? 1 : 2; }
  int64_t parameter_count() const;  // a tied head counted once
  int64_t matmul_parameter_count() const;  // weights that take part in matrix products; the tied head once, no embedding look-up
  // Training FLOPs per token: 6 x matmul parameters + 6 x layers x context x width (causal attention).
  double flops_per_token() const;

  void validate(const std::string& where) const;  // BadInput naming the field

  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

base::Json to_json(const ModelConfig& config);
ModelConfig model_config_from_json(const base::Json& json, const std::string& where);

std::string to_text(NormType value);           // "layernorm" "rmsnorm"
std::string to_text(PositionEncoding value);   // "learned" "rope"
std::string to_text(Activation value);         // "gelu" "relu2" "swiglu"
NormType parse_norm_type(const std::string& text, const std::string& where);
PositionEncoding parse_position_encoding(const std::string& text, const std::string& where);
Activation parse_activation(const std::string& text, const std::string& where);

}  // namespace picochat::gate
