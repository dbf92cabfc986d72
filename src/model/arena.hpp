// One allocation for everything a model computes with. The same function that hands out the buffers
// first runs over an arena that only measures, so the size is known before memory is taken.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace picochat::model {

class Arena {
 public:
  static Arena measuring(at::ScalarType dtype) { return Arena(at::kCPU, dtype); }
  static Arena allocated(at::Device device, at::ScalarType dtype, int64_t bytes);

  // A [rows, columns] matrix, aligned to at least 64 bytes; undefined while measuring.
  at::Tensor take(int64_t rows, int64_t columns) { return take(rows, columns, dtype_); }
  // Statistics of rows and what else must not be rounded: float32 where the matrices have 16 bits an element.
  at::Tensor take_statistics(int64_t rows, int64_t columns);
  at::Tensor take_statistics(int64_t count);  // [count]

  int64_t bytes() const { return used_; }

 private:
  Arena(at::Device device, at::ScalarType dtype) : device_(device), dtype_(dtype) {}
  at::Tensor take(int64_t rows, int64_t columns, at::ScalarType dtype);
  at::Device device_;
  at::ScalarType dtype_;
  at::Tensor memory_;  // bytes
  int64_t used_ = 0;
};

// float32 for types of 16 bits, else the type itself.
at::ScalarType statistics_type(at::ScalarType dtype);

}  // namespace picochat::model
