// What matrix products reach on this machine: the roof that training is compared with.
#pragma once

#include <ATen/core/Tensor.h>

namespace picochat::factory {

// FLOP/s of a product of two square matrices of `dtype` on `device`, the best of `tries`; 0 when its result was wrong.
double measure_gemm_flops(int size, int tries, at::Device device = at::kCPU, at::ScalarType dtype = at::kFloat);

}  // namespace picochat::factory
