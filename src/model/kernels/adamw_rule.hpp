// The numbers of an AdamW update, as the kernels of the CPU and of the GPU take them.
#pragma once

namespace picochat::model::kernels {

struct AdamWRule {
  float beta1, beta2, epsilon, decay_factor, gradient_scale, step_size, second_correction;
};

}  // namespace picochat::model::kernels
