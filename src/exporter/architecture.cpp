#include "exporter/architecture.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using gate::ModelConfig;

class Parts {
 public:
  Parts(const ModelConfig& config, bool pairs) : config_(config), pair_head_dim_(pairs ? config.head_dim() : 0) {}

  void matrix(const std::string& name, const std::string& source, int64_t rows, int64_t columns) {
    parts.push_back({.name = name + ".weight", .shape = {rows, columns}, .source = source + ".weight"});
  }
  void vector(const std::string& name, const std::string& source, int64_t count) {
    parts.push_back({.name = name, .shape = {count}, .source = source});
  }
  void norm(const std::string& name, const std::string& source) {
    vector(name + ".weight", source + ".weight", config_.n_embd);
    if (config_.norm_type == gate::NormType::kLayerNorm) vector(name + ".bias", source + ".bias", config_.n_embd);
  }
  void linear(const std::string& name, const std::string& source, int64_t first_row, int64_t rows, int64_t columns, bool rotated = false) {
    const int64_t pairs = rotated ? pair_head_dim_ : 0;
    parts.push_back({.name = name + ".weight", .shape = {rows, columns}, .source = source + ".weight", .first_row = first_row, .pair_head_dim = pairs});
    if (config_.linear_bias)
      parts.push_back({.name = name + ".bias", .shape = {rows}, .source = source + ".bias", .first_row = first_row, .pair_head_dim = pairs});
  }

  std::vector<TensorPart> parts;

 private:
  const ModelConfig& config_;
  int64_t pair_head_dim_;
};

void add_block(Parts& parts, const ModelConfig& c, int64_t layer) {
  const std::string to = cat("model.layers.", layer, "."), from = cat("blocks.", layer, ".");
  const int64_t d = c.n_embd, kv = c.kv_dim(), ffn = c.ffn_dim();
  parts.norm(to + "input_layernorm", from + "ln_1");
  parts.linear(to + "self_attn.q_proj", from + "attn.qkv", 0, d, d, true);
  parts.linear(to + "self_attn.k_proj", from + "attn.qkv", d, kv, d, true);
  parts.linear(to + "self_attn.v_proj", from + "attn.qkv", d + kv, kv, d);
  if (c.qk_norm) {
    parts.vector(to + "self_attn.q_norm.weight", from + "attn.q_norm.weight", c.head_dim());
    parts.vector(to + "self_attn.k_norm.weight", from + "attn.k_norm.weight", c.head_dim());
  }
  parts.linear(to + "self_attn.o_proj", from + "attn.proj", 0, d, d);
  if (!c.parallel_residual) parts.norm(to + "post_attention_layernorm", from + "ln_2");
  const bool gated = c.activation == gate::Activation::kSwiglu;
  if (gated) parts.linear(to + "mlp.gate_proj", from + "mlp.fc", 0, ffn, d);
  parts.linear(to + "mlp.up_proj", from + "mlp.fc", gated ? ffn : 0, ffn, d);
  parts.linear(to + "mlp.down_proj", from + "mlp.proj", 0, d, ffn);
}

}  // namespace

HfClass hf_class(const ModelConfig& c) {
  const bool stock = c.norm_type == gate::NormType::kRmsNorm && c.position_encoding == gate::PositionEncoding::kRope &&
                     c.activation == gate::Activation::kSwiglu && !c.linear_bias && c.logit_softcap == 0;
  if (!stock || (c.parallel_residual && c.qk_norm)) return HfClass::kPicochat;
  if (c.parallel_residual) return HfClass::kCohere2Moe;
  return c.qk_norm ? HfClass::kQwen3 : HfClass::kLlama;
}

std::string class_name(HfClass hf) {
  switch (hf) {
    case HfClass::kQwen3: return "Qwen3ForCausalLM";
    case HfClass::kLlama: return "LlamaForCausalLM";
    case HfClass::kCohere2Moe: return "Cohere2MoeForCausalLM";
    case HfClass::kPicochat: return "PicochatForCausalLM";
  }
  throw base::internal_error("unknown model class");
}

std::string model_type(HfClass hf) {
  switch (hf) {
    case HfClass::kQwen3: return "qwen3";
    case HfClass::kLlama: return "llama";
    case HfClass::kCohere2Moe: return "cohere2_moe";
    case HfClass::kPicochat: return "picochat";
  }
  throw base::internal_error("unknown model class");
}

bool needs_remote_code(HfClass hf) { return hf == HfClass::kPicochat; }
bool rotates_pairs(HfClass hf) { return hf == HfClass::kCohere2Moe; }

int64_t TensorPart::source_row(int64_t row) const {
  if (pair_head_dim == 0) return first_row + row;
  const int64_t head = row / pair_head_dim, within = row % pair_head_dim;
  return first_row + head * pair_head_dim + within / 2 + (within % 2) * (pair_head_dim / 2);
}

std::vector<TensorPart> hf_tensors(const ModelConfig& config, bool pairs) {
  Parts parts(config, pairs);
  parts.matrix("model.embed_tokens", "token_embedding", config.vocab_size, config.n_embd);
  if (config.position_encoding == gate::PositionEncoding::kLearned)
    parts.matrix("model.embed_positions", "position_embedding", config.context_size, config.n_embd);
  for (int64_t layer = 0; layer < config.n_layer; ++layer) add_block(parts, config, layer);
  parts.norm("model.norm", "ln_f");
  if (!config.tie_embeddings) parts.linear("lm_head", "lm_head", 0, config.vocab_size, config.n_embd);
  return std::move(parts.parts);
}

}  // namespace picochat::exporter
