// What a command computes with: a device, a precision and kernels by name, as this host has them.
#pragma once

#include <string>

#include "picochat/model/transformer.hpp"

namespace picochat::model {

struct ComputeRequest {
  std::string device = "auto";               // auto, cpu, cuda
  std::string precision = "auto";            // auto, float32, bf16; the CPU computes in float32
  std::string matmul_precision = "default";  // of float32 products on CUDA: default and highest, or high and medium (TF32)
  std::string attention = "auto";            // as --attn-backend
  bool deterministic = false, recompute = false, graph = false;
};

struct Compute {
  TransformerOptions options;
  std::string device = "cpu";         // or "cuda"
  std::string precision = "float32";  // or "bf16"
  std::string name = "cpu";           // of the device: "NVIDIA H100 80GB HBM3"
  double peak_flops = 0;              // of its datasheet, for dense products in this precision; 0: not known
};

// "auto" becomes what this host has, and LibTorch's global modes are set. Environment error when what was asked for by
// name is not here; usage error for what is not built.
Compute resolve_compute(const ComputeRequest& request);

// "cuda" or "cpu"; environment error when a CUDA device was asked for by name and cannot be used.
std::string resolve_device(const std::string& asked);

}  // namespace picochat::model
