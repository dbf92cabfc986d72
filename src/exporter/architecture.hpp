// Which model class of the ecosystem computes what a checkpoint computes, and how its tensors are
// cut out of ours. Facts per class: docs/export.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "picochat/gate/model_config.hpp"

namespace picochat::exporter {

enum class HfClass {
  kQwen3,       // sequential residual with QK norm
  kLlama,       // sequential residual without QK norm
  kCohere2Moe,  // parallel residual without QK norm, every layer dense
  kPicochat,    // anything else: our own modelling file travels with the weights
};

// Stock classes know RMSNorm, rotary positions, SwiGLU, no biases and no soft cap; the rest is kPicochat.
HfClass hf_class(const gate::ModelConfig& config);

std::string class_name(HfClass hf);   // "Qwen3ForCausalLM"
std::string model_type(HfClass hf);   // "qwen3"
bool needs_remote_code(HfClass hf);

// Queries and keys rotate neighbours (2j, 2j+1) instead of halves (j, j + head_dim/2).
bool rotates_pairs(HfClass hf);

// A tensor of an export: some rows of a tensor of the checkpoint.
struct TensorPart {
  std::string name;
  std::vector<int64_t> shape;
  std::string source;           // name in the checkpoint
  int64_t first_row = 0;        // of the source
  int64_t pair_head_dim = 0;    // > 0: the rows of each head of this width are reordered from halves to pairs

  int64_t rows() const { return shape.front(); }
  int64_t row_size() const { return shape.size() == 2 ? shape[1] : 1; }
  int64_t count() const { return rows() * row_size(); }
  // The row of the source that row `row` of this tensor comes from.
  int64_t source_row(int64_t row) const;
};

// Every tensor of the model once, a tied head not at all, in the order of the forward pass, under Hugging Face's
// names. `pairs`: for a reader that rotates neighbours.
std::vector<TensorPart> hf_tensors(const gate::ModelConfig& config, bool pairs);

}  // namespace picochat::exporter
