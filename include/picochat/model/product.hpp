// The matrix product of a linear layer on its own, for measuring.
#pragma once

#include <ATen/core/Tensor.h>

namespace picochat::model {

// c = a b^T with the kernel (CPU, float32) or library (CUDA) that training uses: a [m, k], b [n, k], c [m, n], of one
// type on one device, rows contiguous.
void linear_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c);

}  // namespace picochat::model
