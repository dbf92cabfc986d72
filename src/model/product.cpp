#include "picochat/model/product.hpp"

#include <ATen/ATen.h>

#include "model/kernels/table.hpp"

namespace picochat::model {

void linear_product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& c) {
  if (!a.is_cpu()) {
    at::Tensor out = c;
    at::mm_out(out, a, b.t());
    return;
  }
  const auto matrix = [](const at::Tensor& t) {
    return kernels::Matrix<float>{t.data_ptr<float>(), t.size(0), t.size(1), t.stride(0)};
  };
  kernels::table<float>().product(false, matrix(a), true, matrix(b), false, matrix(c), kernels::product_scratch<float>());
}

}  // namespace picochat::model
