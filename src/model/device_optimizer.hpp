// The arithmetic of optimizer_kernels.hpp where the buffers are not in the CPU's memory. On the CPU (in tests) the
// kernels' bodies run serially.
#pragma once

#include "model/kernels/adamw_rule.hpp"
#include "picochat/model/optimizer_kernels.hpp"

namespace picochat::model {

// The kernels' numbers of a step, with weight decay.
kernels::AdamWRule adamw_rule(const AdamWStep& options);

double device_squared_norm(const at::Tensor& values);
void device_adamw_step(const AdamWStep& options, int64_t decay_count, const at::Tensor& parameters, const at::Tensor& gradients, const at::Tensor& first_moment,
                       const at::Tensor& second_moment, bool clear_gradients);
void device_ema_update(double decay, const at::Tensor& values, const at::Tensor& average);
void device_muon_step(const MuonStep& options, const at::Tensor& parameters, const at::Tensor& gradients, const at::Tensor& momentum);

}  // namespace picochat::model
