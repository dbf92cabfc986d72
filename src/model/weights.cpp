#include "model/weights.hpp"

#include <cmath>
#include <functional>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::model {

using base::cat;

namespace {

using Find = std::function<at::Tensor(const std::string&)>;  // undefined where the config has no such tensor

ops::Norm bind_norm(const Config& config, const std::string& name, const Find& find) {
  return {config.norm_type == NormType::kRmsNorm ? ops::NormKind::kRms : ops::NormKind::kLayer, config.norm_eps, find(name + ".weight"), find(name + ".bias")};
}

BlockWeights bind_block(const Config& config, int64_t layer, const Find& find) {
  const std::string block = cat("blocks.", layer, ".");
  return {.ln_1 = bind_norm(config, block + "ln_1", find),
          .ln_2 = bind_norm(config, block + "ln_2", find),
          .qkv = find(block + "attn.qkv.weight"),
          .qkv_bias = find(block + "attn.qkv.bias"),
          .q_norm = find(block + "attn.q_norm.weight"),
          .k_norm = find(block + "attn.k_norm.weight"),
          .attn_proj = find(block + "attn.proj.weight"),
          .attn_proj_bias = find(block + "attn.proj.bias"),
          .fc = find(block + "mlp.fc.weight"),
          .fc_bias = find(block + "mlp.fc.bias"),
          .mlp_proj = find(block + "mlp.proj.weight"),
          .mlp_proj_bias = find(block + "mlp.proj.bias")};
}

Weights bind_outer(const Config& config, const Find& find) {
  Weights weights;
  weights.token_embedding = find("token_embedding.weight");
  weights.position_embedding = find("position_embedding.weight");
  weights.ln_f = bind_norm(config, "ln_f", find);
  weights.head = config.tie_embeddings ? weights.token_embedding : find("lm_head.weight");
  weights.head_bias = find("lm_head.bias");
  return weights;
}

}  // namespace

Weights bind_weights(const Config& config, const ParameterLayout& layout, const at::Tensor& flat, const at::Tensor& matrices) {
  const Find find = [&](const std::string& name) {
    const auto* entry = layout.find(name);
    if (!entry) return at::Tensor();
    return layout.view(entry->decay && matrices.defined() ? matrices : flat, *entry);
  };
  Weights weights = bind_outer(config, find);
  for (int64_t layer = 0; layer < config.n_layer; ++layer) weights.blocks.push_back(bind_block(config, layer, find));
  return weights;
}

Weights bind_units(const Config& config, const ParameterLayout& layout, const std::vector<ParameterUnit>& units, const at::Tensor& outer, const at::Tensor& block, const at::Tensor& outer_matrices,
                   const at::Tensor& block_matrices) {
  auto find_in = [&](const ParameterUnit& unit, const at::Tensor& values, const at::Tensor& matrices) {
    return [&layout, &unit, values, matrices](const std::string& name) {
      const auto* entry = layout.find(name);
      if (!entry) return at::Tensor();
      return (entry->decay && matrices.defined() ? matrices : values).narrow(0, unit.place(entry->offset), entry->count).view(entry->shape);
    };
  };
  Weights weights = bind_outer(config, find_in(units[0], outer, outer_matrices));
  weights.blocks.assign(static_cast<size_t>(config.n_layer), bind_block(config, 0, find_in(units[1], block, block_matrices)));
  return weights;
}

RopeTable make_rope_table(const Config& config, at::Device device, at::ScalarType dtype) {
  if (config.position_encoding != PositionEncoding::kRope) return {};
  const int64_t half = config.head_dim() / 2;
  at::Tensor cosine = at::empty({config.context_size, half}, at::kDouble), sine = at::empty_like(cosine);
  double* c = cosine.data_ptr<double>();
  double* s = sine.data_ptr<double>();
  for (int64_t i = 0; i < half; ++i) {
    const double frequency = std::pow(config.rope_base, -static_cast<double>(i) / static_cast<double>(half));
    for (int64_t position = 0; position < config.context_size; ++position) {
      c[position * half + i] = std::cos(static_cast<double>(position) * frequency);
      s[position * half + i] = std::sin(static_cast<double>(position) * frequency);
    }
  }
  return {cosine.to(device, dtype), sine.to(device, dtype)};
}

ops::ActivationKind activation_kind(Activation activation) {
  switch (activation) {
    case Activation::kGelu:
      return ops::ActivationKind::kGelu;
    case Activation::kRelu2:
      return ops::ActivationKind::kRelu2;
    case Activation::kSwiglu:
      return ops::ActivationKind::kSwiglu;
  }
  throw base::internal_error("unknown activation");
}

}  // namespace picochat::model
