// One allocation for everything a model computes with. The same function that hands out the buffers
// first runs over an arena that only measures, so the size is known before memory is taken.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace picochat::model {

class Arena {
 public:
  static Arena measuring(at::ScalarType dtype) { return Arena(at::kCPU, dtype); }
  static Arena allocated(at::Device device, at::ScalarType dtype, int64_t elements);

  // A [rows, columns] matrix, 64-byte aligned; undefined while measuring.
  at::Tensor take(int64_t rows, int64_t columns);
  at::Tensor take(int64_t count);  // [count]

  int64_t elements() const { return used_; }
  int64_t bytes() const { return used_ * static_cast<int64_t>(c10::elementSize(dtype_)); }

 private:
  Arena(at::Device device, at::ScalarType dtype) : device_(device), dtype_(dtype) {}
  at::Device device_;
  at::ScalarType dtype_;
  at::Tensor memory_;
  int64_t used_ = 0;
};

}  // namespace picochat::model
