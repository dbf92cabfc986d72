#include "model/device_optimizer.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "model/device_stream.hpp"
#include "model/kernels/device/table.hpp"
#include "picochat/base/error.hpp"

namespace picochat::model {

namespace {

namespace device = kernels::device;

const device::OptimizerTable& table_for(const at::Tensor& values) {
#ifdef PICOCHAT_CUDA
  if (values.is_cuda()) return device::cuda_optimizer_table();
#endif
  base::require(values.is_cpu(), "the kernels of the device are compiled in");
  return device::serial_optimizer_table();
}

}  // namespace

// The partial sums are added on the host, in order: the same number whatever the GPU.
double device_squared_norm(const at::Tensor& values) {
  const at::Tensor partial = at::empty({device::parts_of(values.numel(), device::kNormStretch)}, values.options().dtype(at::kDouble));
  table_for(values).squared_norm(stream_of(values.device()), values.data_ptr<float>(), values.numel(), partial.data_ptr<double>());
  const at::Tensor on_host = partial.cpu();
  double sum = 0;
  for (int64_t i = 0; i < on_host.numel(); ++i) sum += on_host.data_ptr<double>()[i];
  return sum;
}

void device_adamw_step(const AdamWStep& o, int64_t decay_count, const at::Tensor& parameters, const at::Tensor& gradients, const at::Tensor& first_moment,
                       const at::Tensor& second_moment, bool clear_gradients) {
  kernels::AdamWRule rule = adamw_rule(o);
  auto update = [&](int64_t begin, int64_t end) {
    if (begin == end) return;
    table_for(parameters).adamw(stream_of(parameters.device()), rule, end - begin, parameters.data_ptr<float>() + begin, gradients.data_ptr<float>() + begin,
                                first_moment.data_ptr<float>() + begin, second_moment.data_ptr<float>() + begin, clear_gradients);
  };
  update(0, decay_count);
  rule.decay_factor = 1;
  update(decay_count, parameters.numel());
}

void device_ema_update(double decay, const at::Tensor& values, const at::Tensor& average) { average.lerp_(values, 1 - decay); }

void device_muon_step(const MuonStep& o, const at::Tensor& parameters, const at::Tensor& gradients, const at::Tensor& momentum) {
  constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
  constexpr int kSteps = 5;
  gradients.mul_(o.gradient_scale);
  momentum.mul_(o.momentum).add_(gradients);
  const at::Tensor update = gradients.add(momentum, o.momentum);
  gradients.zero_();
  const bool tall = update.size(0) > update.size(1);
  at::Tensor x = (update / (update.norm() + 1e-7)).to(update.is_cpu() ? at::kFloat : at::kBFloat16);
  if (tall) x = x.t();
  for (int step = 0; step < kSteps; ++step) {
    const at::Tensor gram = at::mm(x, x.t());
    x = at::addmm(x, at::addmm(gram, gram, gram, kB, kC), x, kA, 1);
  }
  if (tall) x = x.t();
  parameters.mul_(o.keep).sub_(x.to(at::kFloat), o.rate);
}

}  // namespace picochat::model
