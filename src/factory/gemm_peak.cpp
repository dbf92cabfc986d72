#include "gemm_peak.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "picochat/base/clock.hpp"
#include "picochat/model/device.hpp"

namespace picochat::factory {

double measure_gemm_flops(int size, int tries, at::Device device, at::ScalarType dtype) {
  const auto options = at::TensorOptions().device(device).dtype(dtype);
  const at::Tensor a = at::ones({size, size}, options), b = at::ones({size, size}, options);
  at::Tensor c = at::empty({size, size}, options);
  at::mm_out(c, a, b);  // threads, memory and plans are there from now on
  model::synchronize(device);
  double best = 0;
  for (int i = 0; i < tries; ++i) {
    const double begun = base::monotonic_seconds();
    at::mm_out(c, a, b);
    model::synchronize(device);
    best = std::max(best, 2.0 * size * size * size / (base::monotonic_seconds() - begun));
  }
  return c[0][0].item<float>() == static_cast<float>(size) ? best : 0;
}

}  // namespace picochat::factory
