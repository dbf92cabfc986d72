// Low-rank adapters (Hu et al., "LoRA", 2021) for the matrices inside blocks: W + alpha / rank * B A with A and B trained and W frozen.
//
// The model computes with the merged matrix, and the gradients of A and B follow from that of the merged matrix by the chain rule: exactly
// what two more products in each layer would give, at the cost of one small product a matrix and step. What is trained is therefore what is
// saved, evaluated and exported.
#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::train {

struct LoraOptions {
  int64_t rank = 8;
  double alpha = 16;
  std::vector<std::string> targets{"attn_qkv", "attn_proj"};  // and "mlp_fc", "mlp_proj", "all_linear"
};

class Lora {
 public:
  struct Pair {
    model::ParameterLayout::Entry matrix;  // [out, in]
    int64_t a, b;                          // first elements of A [rank, in] and B [out, rank] in the adapters' flat buffer
  };

  // `frozen` is the flat buffer that the adapters are added to; it is kept and never written.
  Lora(const model::Config& config, const LoraOptions& options, at::Tensor frozen);

  int64_t size() const { return size_; }  // elements of the adapters' flat buffer
  const std::vector<Pair>& pairs() const { return pairs_; }
  at::Tensor a(const at::Tensor& adapters, const Pair& pair) const;
  at::Tensor b(const at::Tensor& adapters, const Pair& pair) const;

  // A uniform within 1 / sqrt(in), B zero: the merged model is the frozen one.
  void initialize(uint64_t seed, const at::Tensor& adapters) const;
  // Writes the adapted matrices of `merged`, a flat buffer of the model.
  void merge(const at::Tensor& adapters, const at::Tensor& merged) const;
  // From the gradients of the merged model to those of the adapters, which are overwritten.
  void project(const at::Tensor& adapters, const at::Tensor& gradients, const at::Tensor& adapter_gradients) const;

  base::Json description() const;
  // adapter_model.safetensors (<module>.lora_a, <module>.lora_b) and adapter_config.json.
  void write(base::FileSystem& files, const base::Path& folder, const at::Tensor& adapters) const;

 private:
  LoraOptions options_;
  at::Tensor frozen_;
  model::ParameterLayout layout_;
  std::vector<Pair> pairs_;
  int64_t size_ = 0;
};

inline constexpr const char* kAdapterTensors = "adapter_model.safetensors";
inline constexpr const char* kAdapterConfig = "adapter_config.json";

}  // namespace picochat::train
