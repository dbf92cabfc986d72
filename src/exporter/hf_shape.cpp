#include "exporter/hf_shape.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using base::Json;

class Reader {
 public:
  Reader(const Json& config, std::string where) : config_(config), where_(std::move(where)) {}

  [[noreturn]] void refuse(const std::string& key, const std::string& expected, const std::string& found) const {
    throw base::bad_input({.what = cat("picochat has no form for this model: ", key), .where = where_, .expected = expected, .found = found,
                           .remedy = "docs/export.md lists what can be imported"});
  }
  bool has(const char* key) const { return config_.contains(key) && !config_.at(key).is_null(); }
  int64_t integer(const char* key) const { return base::get_int(config_, key, where_); }
  int64_t integer_or(const char* key, int64_t fallback) const { return has(key) ? integer(key) : fallback; }
  double number_or(const char* key, double fallback) const { return has(key) ? base::get_number(config_, key, where_) : fallback; }
  bool boolean_or(const char* key, bool fallback) const { return has(key) ? base::get_bool_or(config_, key, fallback, where_) : fallback; }
  std::string text_or(const char* key, const std::string& fallback) const { return has(key) ? base::get_string(config_, key, where_) : fallback; }

  // The key must be absent, null or this value.
  void only(const char* key, const Json& value) const {
    if (has(key) && config_.at(key) != value) refuse(key, base::dump(value, -1), base::dump(config_.at(key), -1));
  }
  // Every entry of a list that may be absent.
  void only_entries(const char* key, const std::string& value) const {
    if (!has(key)) return;
    for (const auto& entry : config_.at(key))
      if (entry != value) refuse(key, cat("every entry \"", value, "\""), base::dump(entry, -1));
  }
  double rope_theta() const {
    only("rope_scaling", nullptr);
    if (!has("rope_parameters")) return number_or("rope_theta", 10000);
    const Json& rope = config_.at("rope_parameters");
    if (rope.value("rope_type", "default") != "default") refuse("rope_parameters", "rope_type default", base::dump(rope, -1));
    if (rope.value("partial_rotary_factor", 1.0) != 1.0) refuse("rope_parameters", "every dimension rotated", base::dump(rope, -1));
    return rope.contains("rope_theta") ? base::get_number(rope, "rope_theta", where_) : number_or("rope_theta", 10000);
  }

 private:
  const Json& config_;
  std::string where_;
};

HfClass class_of(const Reader& reader) {
  const std::string type = reader.text_or("model_type", "");
  if (type == "mistral" || type == "qwen2") return HfClass::kLlama;  // its names, its rotation
  for (HfClass hf : {HfClass::kQwen3, HfClass::kLlama, HfClass::kCohere2Moe, HfClass::kPicochat})
    if (model_type(hf) == type) return hf;
  reader.refuse("model_type", "qwen3, qwen2, llama, mistral, cohere2_moe (all layers dense) or picochat", type.empty() ? "none" : type);
}

void check_cohere(const Reader& reader) {
  reader.only_entries("mlp_layer_types", "dense");
  if (!reader.has("mlp_layer_types")) reader.refuse("mlp_layer_types", "every entry \"dense\"", "none");
  reader.only_entries("layer_types", "full_attention");
  if (!reader.has("layer_types")) reader.refuse("layer_types", "every entry \"full_attention\"", "none");
  reader.only("prefix_dense_sliding_window_pattern", 1);
  if (reader.number_or("logit_scale", 0.0625) != 1.0) reader.refuse("logit_scale", "1", cat(reader.number_or("logit_scale", 0.0625)));
  if (!reader.has("rms_norm_eps")) reader.refuse("rms_norm_eps", "RMSNorm", "LayerNorm");
}

void read_biases(const Reader& reader, HfShape& shape) {
  const bool llama = shape.type == "llama";
  if (!llama) {
    reader.only("attention_bias", false);
    reader.only("mlp_bias", false);
  }
  shape.head_bias = false;
  shape.qkv_bias = shape.type == "qwen2" || (llama && reader.boolean_or("attention_bias", false));
  shape.output_bias = llama && reader.boolean_or("attention_bias", false);
  shape.mlp_bias = llama && reader.boolean_or("mlp_bias", false);
  shape.config.linear_bias = shape.qkv_bias || shape.output_bias || shape.mlp_bias;
}

void read_stock(const Reader& reader, HfShape& shape) {
  const HfClass hf = shape.hf;
  auto& c = shape.config;
  reader.only("hidden_act", "silu");
  reader.only("use_sliding_window", false);
  if (shape.type == "mistral") reader.only("sliding_window", nullptr);
  read_biases(reader, shape);
  if (hf == HfClass::kCohere2Moe) check_cohere(reader);
  c.norm_type = gate::NormType::kRmsNorm;
  c.position_encoding = gate::PositionEncoding::kRope;
  c.activation = gate::Activation::kSwiglu;
  c.norm_eps = reader.number_or("rms_norm_eps", 1e-6);
  c.qk_norm = hf == HfClass::kQwen3;
  c.parallel_residual = hf == HfClass::kCohere2Moe;
  c.tie_embeddings = reader.boolean_or("tie_word_embeddings", hf == HfClass::kCohere2Moe);
}

void read_own(const Reader& reader, const std::string& where, gate::ModelConfig& c) {
  c.norm_type = gate::parse_norm_type(reader.text_or("norm_type", "rmsnorm"), where);
  c.position_encoding = gate::parse_position_encoding(reader.text_or("position_encoding", "rope"), where);
  c.activation = gate::parse_activation(reader.text_or("activation", "swiglu"), where);
  c.linear_bias = reader.boolean_or("linear_bias", false);
  c.norm_eps = reader.number_or("norm_eps", 1e-6);
  c.logit_softcap = reader.number_or("logit_softcap", 0);
  c.qk_norm = reader.boolean_or("qk_norm", true);
  c.parallel_residual = reader.boolean_or("parallel_residual", true);
  c.tie_embeddings = reader.boolean_or("tie_word_embeddings", true);
}

}  // namespace

bool HfShape::lacks(const std::string& tensor) const {
  if (!tensor.ends_with(".bias")) return false;
  const auto in = [&](const char* part) { return tensor.find(part) != std::string::npos; };
  return (in("lm_head") && !head_bias) || (in(".o_proj") && !output_bias) || (in(".mlp.") && !mlp_bias) ||
         ((in(".q_proj") || in(".k_proj") || in(".v_proj")) && !qkv_bias);
}

HfShape read_hf_config(const Json& json, const std::string& where) {
  if (!json.is_object()) throw base::bad_input({.what = "config.json is not an object", .where = where});
  const Reader reader(json, where);
  HfShape shape{.config = {}, .hf = class_of(reader), .type = reader.text_or("model_type", "")};
  auto& c = shape.config;
  c.vocab_size = reader.integer("vocab_size");
  c.n_embd = reader.integer("hidden_size");
  c.n_layer = reader.integer("num_hidden_layers");
  c.n_head = reader.integer("num_attention_heads");
  c.n_kv_head = reader.integer_or("num_key_value_heads", c.n_head);
  c.context_size = reader.integer("max_position_embeddings");
  c.rope_base = reader.rope_theta();
  c.initializer_range = reader.number_or("initializer_range", 0.02);
  if (shape.hf == HfClass::kPicochat) read_own(reader, where, c);
  else read_stock(reader, shape);
  c.validate(where);
  c.set_ffn_dim(reader.integer("intermediate_size"), where + ": intermediate_size");
  const int64_t width = reader.integer_or("head_dim", c.head_dim());
  if (width != c.head_dim()) reader.refuse("head_dim", cat(c.head_dim(), " (hidden_size / num_attention_heads)"), cat(width));
  return shape;
}

}  // namespace picochat::exporter
