#include "exporter/exported_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::exporter {
namespace {

using at::Tensor;
using base::cat;

int64_t integer(const base::Json& config, const char* key) { return base::get_int(config, key, "config.json"); }
double number(const base::Json& config, const char* key, double fallback) {
  return config.contains(key) && config.at(key).is_number() ? config.at(key).get<double>() : fallback;
}
std::string text(const base::Json& config, const char* key, const std::string& fallback) {
  return base::get_string_or(config, key, fallback, "config.json");
}

double rope_theta(const base::Json& config) {
  if (auto rope = config.find("rope_parameters"); rope != config.end() && rope->is_object()) return number(*rope, "rope_theta", 10000);
  return number(config, "rope_theta", 10000);
}

at::ScalarType scalar_type(const base::TensorView& view, const base::Path& folder) {
  if (view.dtype == "F32") return at::kFloat;
  if (view.dtype == "BF16") return at::kBFloat16;
  if (view.dtype == "F16") return at::kHalf;
  throw base::bad_input({.what = cat("tensor ", view.name, " has a dtype that is not read"), .where = folder.string(), .expected = "F32, BF16 or F16",
                         .found = view.dtype});
}

}  // namespace

ExportedModel::ExportedModel(const base::Path& folder) : folder_(folder), config_(base::read_json(folder / "config.json")) {
  const base::Path index = folder / "model.safetensors.index.json";
  std::vector<std::string> names{"model.safetensors"};
  base::Json map;
  if (std::filesystem::exists(index)) {
    map = base::read_json(index);
    if (!map.contains("weight_map") || !map.at("weight_map").is_object())
      throw base::bad_input({.what = "the index lists no weights", .where = index.string(), .expected = "\"weight_map\": {tensor: file}"});
    map = map.at("weight_map");
    names.clear();
    for (const auto& [tensor, file] : map.items()) {
      const std::string name = file.is_string() ? file.get<std::string>() : "";
      if (name.empty() || name.find('/') != std::string::npos)
        throw base::bad_input({.what = cat("the index names no file of the folder for ", tensor), .where = index.string()});
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  for (const auto& name : names) {
    files_.push_back(std::make_unique<base::SafetensorsFile>(folder / name));
    for (const auto& view : files_.back()->tensors()) {
      if (!where_.emplace(view.name, &view).second)
        throw base::bad_input({.what = cat("tensor ", view.name, " stands in two files"), .where = folder.string()});
      if (map.is_object() && (!map.contains(view.name) || map.at(view.name) != name))
        throw base::bad_input({.what = cat("tensor ", view.name, " is not where the index says"), .where = index.string(), .found = name});
    }
  }
}

int64_t ExportedModel::layers() const { return integer(config_, "num_hidden_layers"); }

const base::TensorView& ExportedModel::view(const std::string& name) const {
  const auto found = where_.find(name);
  if (found == where_.end()) throw base::bad_input({.what = cat("the weights have no tensor ", name), .where = folder_.string()});
  return *found->second;
}

Tensor ExportedModel::tensor(const std::string& name) const {
  const auto& from = view(name);
  const auto type = scalar_type(from, folder_);
  Tensor out = at::empty(from.shape, type);  // a file from elsewhere need not align its tensors
  std::memcpy(out.data_ptr(), from.bytes.data(), from.bytes.size());
  return out.to(at::kFloat);
}

std::vector<std::string> ExportedModel::names() const {
  std::vector<std::string> names;
  for (const auto& [name, view] : where_) names.push_back(name);
  return names;
}

Tensor ExportedModel::norm(const std::string& name, const Tensor& x) const {
  const double eps = number(config_, "rms_norm_eps", number(config_, "norm_eps", 1e-6));
  const Tensor weight = tensor(name + ".weight");
  if (text(config_, "norm_type", "rmsnorm") == "layernorm") {
    const Tensor centred = x - x.mean(-1, true);
    return centred * at::rsqrt(centred.square().mean(-1, true) + eps) * weight + tensor(name + ".bias");
  }
  return x * at::rsqrt(x.square().mean(-1, true) + eps) * weight;
}

Tensor ExportedModel::linear(const std::string& name, const Tensor& x) const {
  Tensor y = at::matmul(x, tensor(name + ".weight").t());
  return has(name + ".bias") ? y + tensor(name + ".bias") : y;
}

// x [heads, tokens, width]
Tensor ExportedModel::rotate(const Tensor& x) const {
  if (text(config_, "position_encoding", "rope") == "learned") return x;
  const int64_t tokens = x.size(1), half = x.size(2) / 2;
  const Tensor frequency = at::pow(rope_theta(config_), -at::arange(half, at::kDouble) / static_cast<double>(half));
  const Tensor angle = at::arange(tokens, at::kDouble).unsqueeze(1) * frequency;
  const Tensor c = angle.cos().to(at::kFloat), s = angle.sin().to(at::kFloat);
  if (text(config_, "model_type", "") == "cohere2_moe") {
    const Tensor even = x.slice(2, 0, 2 * half, 2), odd = x.slice(2, 1, 2 * half, 2);
    return at::stack({even * c - odd * s, even * s + odd * c}, -1).flatten(2);
  }
  const Tensor a = x.narrow(2, 0, half), b = x.narrow(2, half, half);
  return at::cat({a * c - b * s, b * c + a * s}, 2);
}

Tensor ExportedModel::attention(const std::string& prefix, const Tensor& x) const {
  const int64_t tokens = x.size(0), heads = integer(config_, "num_attention_heads"), kv_heads = integer(config_, "num_key_value_heads");
  const int64_t width = config_.contains("head_dim") ? integer(config_, "head_dim") : x.size(1) / heads;
  auto project = [&](const char* name, int64_t count) { return linear(prefix + name, x).view({tokens, count, width}).transpose(0, 1); };
  Tensor q = project("q_proj", heads), k = project("k_proj", kv_heads);
  if (has(prefix + "q_norm.weight")) q = norm(prefix + "q_norm", q), k = norm(prefix + "k_norm", k);
  q = rotate(q), k = rotate(k).repeat_interleave(heads / kv_heads, 0);
  const Tensor v = project("v_proj", kv_heads).repeat_interleave(heads / kv_heads, 0);
  const Tensor scores = at::matmul(q, k.transpose(1, 2)) / std::sqrt(static_cast<double>(width));
  const Tensor future = at::ones({tokens, tokens}, at::kBool).triu(1);
  const Tensor weights = scores.masked_fill(future, -std::numeric_limits<float>::infinity()).softmax(-1);
  return linear(prefix + "o_proj", at::matmul(weights, v).transpose(0, 1).reshape({tokens, heads * width}));
}

Tensor ExportedModel::mlp(const std::string& prefix, const Tensor& x) const {
  const Tensor up = linear(prefix + "up_proj", x);
  const std::string activation = text(config_, "activation", "swiglu");
  if (activation == "swiglu") return linear(prefix + "down_proj", at::silu(linear(prefix + "gate_proj", x)) * up);
  return linear(prefix + "down_proj", activation == "gelu" ? at::gelu(up) : at::relu(up).square());
}

Tensor ExportedModel::logits(std::span<const int32_t> tokens, std::span<const int64_t> layers) const {
  if (!embedding_.defined()) embedding_ = tensor("model.embed_tokens.weight");
  const Tensor ids = at::tensor(std::vector<int64_t>(tokens.begin(), tokens.end()), at::kLong);
  Tensor x = embedding_.index_select(0, ids);
  if (has("model.embed_positions.weight")) x = x + tensor("model.embed_positions.weight").narrow(0, 0, x.size(0));
  for (int64_t layer : layers) {
    const std::string prefix = cat("model.layers.", layer, ".");
    const Tensor normed = norm(prefix + "input_layernorm", x);
    const Tensor attended = attention(prefix + "self_attn.", normed);
    if (has(prefix + "post_attention_layernorm.weight")) {
      x = x + attended;
      x = x + mlp(prefix + "mlp.", norm(prefix + "post_attention_layernorm", x));
    } else {
      x = x + attended + mlp(prefix + "mlp.", normed);
    }
  }
  x = norm("model.norm", x);
  Tensor out = has("lm_head.weight") ? linear("lm_head", x) : at::matmul(x, embedding_.t());
  out = out * number(config_, "logit_scale", 1);
  const double cap = number(config_, "logit_softcap", 0);
  return cap > 0 ? cap * at::tanh(out / cap) : out;
}

Tensor ExportedModel::logits(std::span<const int32_t> tokens) const {
  std::vector<int64_t> all(static_cast<size_t>(layers()));
  std::iota(all.begin(), all.end(), int64_t{0});
  return logits(tokens, all);
}

}  // namespace picochat::exporter
