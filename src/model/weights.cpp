#include "model/weights.hpp"

#include <cmath>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::model {

using base::cat;

Weights bind_weights(const Config& config, const ParameterLayout& layout, const at::Tensor& flat, const at::Tensor& matrices) {
  auto find = [&](const std::string& name) {
    const auto* entry = layout.find(name);
    if (!entry) return at::Tensor();
    return layout.view(entry->decay && matrices.defined() ? matrices : flat, *entry);
  };
  auto norm = [&](const std::string& name) {
    return ops::Norm{config.norm_type == NormType::kRmsNorm ? ops::NormKind::kRms : ops::NormKind::kLayer,
                     config.norm_eps, find(name + ".weight"), find(name + ".bias")};
  };
  Weights weights;
  weights.token_embedding = find("token_embedding.weight");
  weights.position_embedding = find("position_embedding.weight");
  for (int64_t layer = 0; layer < config.n_layer; ++layer) {
    const std::string block = cat("blocks.", layer, ".");
    weights.blocks.push_back({.ln_1 = norm(block + "ln_1"),
                              .ln_2 = norm(block + "ln_2"),
                              .qkv = find(block + "attn.qkv.weight"),
                              .qkv_bias = find(block + "attn.qkv.bias"),
                              .q_norm = find(block + "attn.q_norm.weight"),
                              .k_norm = find(block + "attn.k_norm.weight"),
                              .attn_proj = find(block + "attn.proj.weight"),
                              .attn_proj_bias = find(block + "attn.proj.bias"),
                              .fc = find(block + "mlp.fc.weight"),
                              .fc_bias = find(block + "mlp.fc.bias"),
                              .mlp_proj = find(block + "mlp.proj.weight"),
                              .mlp_proj_bias = find(block + "mlp.proj.bias")});
  }
  weights.ln_f = norm("ln_f");
  weights.head = config.tie_embeddings ? weights.token_embedding : find("lm_head.weight");
  weights.head_bias = find("lm_head.bias");
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
