// The kernels of a device against plain operations in float64, one at a time, and the time that each takes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "picochat/model/config.hpp"

namespace picochat::model {

struct KernelShape {
  std::string name;
  int64_t tokens, columns, n_head, n_kv_head, head_dim, vocabulary;
};
// The widths of the GPU presets, and odd ones. Tokens are few: on the CPU the kernels run one row after another.
const std::vector<KernelShape>& kernel_shapes();

// Constants that tests change on the side of the kernels, to see that the comparison notices.
struct KernelFault {
  double eps = 1e-5, rope_base = 10000, softcap = 4, beta2 = 0.95, gate_scale = 1, key_scale = 1;
};

struct KernelError {
  std::string kernel, shape;
  double error = 0, tolerance = 0;  // of the norm of the result
  bool good() const { return error <= tolerance; }
};
// On the CPU the bodies of the GPU's kernels run serially. dtype: float32 or bfloat16.
std::vector<KernelError> compare_kernels(at::Device device, at::ScalarType dtype, const KernelShape& shape, const KernelFault& fault = {});

// The names that --attn-backend may have on this device for a model of this shape: each was run, forward and backward, and agreed with
// plain operations. "auto" and "math" always do.
std::vector<std::string> attention_backends(at::Device device, at::ScalarType dtype, const Config& config);

struct KernelTime {
  std::string kernel;
  double microseconds = 0;
  double gigabytes = 0, gigaflops = 0;  // moved at least, computed
  int64_t calls = 0;                    // in a micro-step (or, for the optimizer, in a step)
};
// Each kernel of a micro-step of `rows` rows of the config's context, on a CUDA device, captured so that launches cost nothing.
std::vector<KernelTime> time_kernels(at::Device device, at::ScalarType dtype, const Config& config, int64_t rows, const std::string& attention);

}  // namespace picochat::model
