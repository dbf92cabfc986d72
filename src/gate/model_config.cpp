#include "picochat/gate/model_config.hpp"

#include <algorithm>
#include <cmath>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::gate {

using base::bad_input;
using base::cat;
using base::Json;

int64_t ModelConfig::ffn_dim() const {
  if (ffn_width > 0) return ffn_width;
  if (activation != Activation::kSwiglu) return 4 * n_embd;
  return std::max<int64_t>(1, std::llround(8.0 * static_cast<double>(n_embd) / 3 / 64)) * 64;
}

void ModelConfig::set_ffn_dim(int64_t width, const std::string& where) {
  ffn_width = 0;
  if (width == ffn_dim()) return;
  if (activation != Activation::kSwiglu)
    throw bad_input({.what = "ffn_dim does not follow from the other fields", .where = where, .expected = cat(ffn_dim()), .found = cat(width)});
  if (width < 1 || width > (int64_t{1} << 24)) throw bad_input({.what = "ffn_dim is out of range", .where = where, .expected = "at least 1", .found = cat(width)});
  ffn_width = width;
}

int64_t ModelConfig::parameter_count() const {
  const int64_t norm = norm_type == NormType::kRmsNorm ? n_embd : 2 * n_embd, bias = linear_bias ? 1 : 0, ffn = ffn_dim();
  const int64_t fc_rows = activation == Activation::kSwiglu ? 2 * ffn : ffn;
  const int64_t block = norms_per_block() * norm + (qk_norm ? 2 * head_dim() : 0) + qkv_dim() * n_embd + n_embd * n_embd +
                        fc_rows * n_embd + n_embd * ffn + bias * (qkv_dim() + n_embd + fc_rows + n_embd);
  const int64_t head = tie_embeddings ? 0 : vocab_size * n_embd + bias * vocab_size;
  const int64_t positions = position_encoding == PositionEncoding::kLearned ? context_size * n_embd : 0;
  return vocab_size * n_embd + positions + n_layer * block + norm + head;
}

int64_t ModelConfig::matmul_parameter_count() const {
  const int64_t ffn = ffn_dim(), fc_rows = activation == Activation::kSwiglu ? 2 * ffn : ffn;
  return n_layer * n_embd * (qkv_dim() + n_embd + fc_rows + ffn) + vocab_size * n_embd;
}

double ModelConfig::flops_per_token() const {
  return 6.0 * static_cast<double>(matmul_parameter_count()) + 6.0 * static_cast<double>(n_layer * context_size * n_embd);
}

void ModelConfig::validate(const std::string& where) const {
  auto refuse = [&](const std::string& what, const std::string& expected, const std::string& found) {
    throw bad_input({.what = what, .where = where, .expected = expected, .found = found});
  };
  // The upper bounds keep every product below 2^63.
  auto within = [&](const char* name, int64_t value, int64_t most) {
    if (value < 1 || value > most) refuse(cat(name, " is out of range"), cat("1 to ", most), cat(value));
  };
  within("vocab_size", vocab_size, 1 << 24);
  within("context_size", context_size, 1 << 24);
  within("n_embd", n_embd, 1 << 18);
  within("n_head", n_head, 1 << 12);
  within("n_kv_head", n_kv_head, 1 << 12);
  within("n_layer", n_layer, 1 << 12);
  if (n_embd % n_head) refuse("n_embd is not divisible by n_head", cat("a multiple of ", n_head), cat(n_embd));
  if (n_head % n_kv_head) refuse("n_kv_head does not divide n_head", cat("a divisor of ", n_head), cat(n_kv_head));
  if (position_encoding == PositionEncoding::kRope && head_dim() % 2) refuse("rope needs an even head width", "n_embd / n_head even", cat(head_dim()));
  if (!(dropout >= 0 && dropout < 1)) refuse("dropout is out of range", "0 <= dropout < 1", cat(dropout));
  if (!(logit_softcap >= 0)) refuse("logit_softcap is out of range", "0 (off) or more", cat(logit_softcap));
  if (!(initializer_range > 0)) refuse("initializer_range is out of range", "more than 0", cat(initializer_range));
  if (!(rope_base > 1)) refuse("rope_base is out of range", "more than 1", cat(rope_base));
  if (!(norm_eps > 0)) refuse("norm_eps is out of range", "more than 0", cat(norm_eps));
}

Json to_json(const ModelConfig& c) {
  return {{"vocab_size", c.vocab_size}, {"context_size", c.context_size}, {"n_embd", c.n_embd}, {"n_head", c.n_head},
          {"n_kv_head", c.n_kv_head}, {"n_layer", c.n_layer}, {"norm_type", to_text(c.norm_type)},
          {"position_encoding", to_text(c.position_encoding)}, {"activation", to_text(c.activation)}, {"ffn_dim", c.ffn_dim()},
          {"tie_embeddings", c.tie_embeddings}, {"qk_norm", c.qk_norm}, {"parallel_residual", c.parallel_residual},
          {"linear_bias", c.linear_bias}, {"scaled_residual_init", c.scaled_residual_init}, {"dropout", c.dropout},
          {"logit_softcap", c.logit_softcap}, {"rope_base", c.rope_base}, {"norm_eps", c.norm_eps},
          {"initializer_range", c.initializer_range}};
}

ModelConfig model_config_from_json(const Json& json, const std::string& where) {
  static const std::vector<std::string> known = [] {
    std::vector<std::string> names;
    const Json fields = to_json(ModelConfig{});  // named: items() does not keep a temporary alive
    for (const auto& [key, value] : fields.items()) names.push_back(key);
    return names;
  }();
  base::refuse_unknown_keys(json, known, where);
  ModelConfig c;
  c.vocab_size = base::get_int(json, "vocab_size", where);
  c.context_size = base::get_int(json, "context_size", where);
  c.n_embd = base::get_int(json, "n_embd", where);
  c.n_head = base::get_int(json, "n_head", where);
  c.n_kv_head = base::get_int(json, "n_kv_head", where);
  c.n_layer = base::get_int(json, "n_layer", where);
  c.norm_type = parse_norm_type(base::get_string(json, "norm_type", where), where);
  c.position_encoding = parse_position_encoding(base::get_string(json, "position_encoding", where), where);
  c.activation = parse_activation(base::get_string(json, "activation", where), where);
  c.tie_embeddings = base::get_bool_or(json, "tie_embeddings", c.tie_embeddings, where);
  c.qk_norm = base::get_bool_or(json, "qk_norm", c.qk_norm, where);
  c.parallel_residual = base::get_bool_or(json, "parallel_residual", c.parallel_residual, where);
  c.linear_bias = base::get_bool_or(json, "linear_bias", c.linear_bias, where);
  c.scaled_residual_init = base::get_bool_or(json, "scaled_residual_init", c.scaled_residual_init, where);
  auto number = [&](const char* key, double& target) {
    if (json.contains(key)) target = base::get_number(json, key, where);
  };
  number("dropout", c.dropout);
  number("logit_softcap", c.logit_softcap);
  number("rope_base", c.rope_base);
  number("norm_eps", c.norm_eps);
  number("initializer_range", c.initializer_range);
  c.validate(where);
  if (json.contains("ffn_dim")) c.set_ffn_dim(base::get_int(json, "ffn_dim", where), where);
  return c;
}

namespace {

template <typename E>
E parse_choice(const std::string& text, std::initializer_list<E> values, const char* field, const std::string& where) {
  std::vector<std::string> names;
  for (E value : values) {
    if (to_text(value) == text) return value;
    names.push_back(to_text(value));
  }
  throw bad_input({.what = cat("unknown ", field), .where = where, .expected = cat("one of ", base::join(names, ", ")), .found = text});
}

}  // namespace

std::string to_text(NormType value) { return value == NormType::kLayerNorm ? "layernorm" : "rmsnorm"; }
std::string to_text(PositionEncoding value) { return value == PositionEncoding::kLearned ? "learned" : "rope"; }
std::string to_text(Activation value) {
  return value == Activation::kGelu ? "gelu" : value == Activation::kRelu2 ? "relu2" : "swiglu";
}
NormType parse_norm_type(const std::string& text, const std::string& where) {
  return parse_choice(text, {NormType::kLayerNorm, NormType::kRmsNorm}, "norm_type", where);
}
PositionEncoding parse_position_encoding(const std::string& text, const std::string& where) {
  return parse_choice(text, {PositionEncoding::kLearned, PositionEncoding::kRope}, "position_encoding", where);
}
Activation parse_activation(const std::string& text, const std::string& where) {
  return parse_choice(text, {Activation::kGelu, Activation::kRelu2, Activation::kSwiglu}, "activation", where);
}

}  // namespace picochat::gate
