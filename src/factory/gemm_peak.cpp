#include "gemm_peak.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "picochat/base/clock.hpp"
#include "picochat/model/device.hpp"
#include "picochat/model/product.hpp"

namespace picochat::factory {

double measure_gemm_flops(int size, int tries, at::Device device, at::ScalarType dtype) {
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  // Not zeros or ones: the power that a chip takes, and with it its clock, depends on the bits that change.
  auto values = [&](double step) { return at::arange(int64_t{size} * size, options.dtype(at::kFloat)).mul_(step).sin_().to(dtype).view({size, size}); };
  const at::Tensor a = values(0.7), b = values(1.3);
  const at::Tensor c = at::empty({size, size}, options);
  model::linear_product(a, b, c);  // threads, memory and plans are there from now on
  model::synchronize(device);
  double best = 0;
  for (int i = 0; i < tries; ++i) {
    const double begun = base::monotonic_seconds();
    model::linear_product(a, b, c);
    model::synchronize(device);
    best = std::max(best, 2.0 * size * size * size / (base::monotonic_seconds() - begun));
  }
  const double expected = (a[0].to(at::kDouble) * b[0].to(at::kDouble)).sum().item<double>();
  return std::abs(c[0][0].item<double>() - expected) < 0.1 + 0.02 * std::abs(expected) ? best : 0;
}

}  // namespace picochat::factory
