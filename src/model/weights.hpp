// The tensors of a flat buffer by their role: the same structure names parameters and gradients.
#pragma once

#include <vector>

#include "model/ops/ops.hpp"
#include "picochat/model/parameter_units.hpp"

namespace picochat::model {

struct BlockWeights {
  ops::Norm ln_1, ln_2;  // ln_2: sequential residual only
  at::Tensor qkv, qkv_bias, q_norm, k_norm;
  at::Tensor attn_proj, attn_proj_bias;
  at::Tensor fc, fc_bias;
  at::Tensor mlp_proj, mlp_proj_bias;
};

struct Weights {
  at::Tensor token_embedding, position_embedding;
  std::vector<BlockWeights> blocks;
  ops::Norm ln_f;
  at::Tensor head, head_bias;  // head is the token embedding when tied
};

// `matrices`, when given, is a copy of the first region of `flat` (all matrices) in the type that computes.
Weights bind_weights(const Config& config, const ParameterLayout& layout, const at::Tensor& flat, const at::Tensor& matrices = {});

// Of a model whose weights come unit by unit: `outer` and `block` hold the units' values, and every block has the same views. Matrices
// may be copies of the units' first regions, as above.
Weights bind_units(const Config& config, const ParameterLayout& layout, const std::vector<ParameterUnit>& units, const at::Tensor& outer, const at::Tensor& block, const at::Tensor& outer_matrices = {},
                   const at::Tensor& block_matrices = {});

// Rotation angles: [context_size, head_dim / 2], computed in double.
struct RopeTable {
  at::Tensor cosine, sine;  // undefined with learned positions
};
RopeTable make_rope_table(const Config& config, at::Device device, at::ScalarType dtype);

ops::ActivationKind activation_kind(Activation activation);

}  // namespace picochat::model
