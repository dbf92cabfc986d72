// While it lives, float32 products on a GPU are float32, whatever --matmul-precision allows: for references.
#pragma once

#include <ATen/Context.h>

namespace picochat::model {

class ExactProducts {
 public:
  ExactProducts() { at::globalContext().setAllowTF32CuBLAS(false); }
  ~ExactProducts() { at::globalContext().setAllowTF32CuBLAS(tf32_); }
  ExactProducts(const ExactProducts&) = delete;
  ExactProducts& operator=(const ExactProducts&) = delete;

 private:
  bool tf32_ = at::globalContext().allowTF32CuBLAS();
};

}  // namespace picochat::model
