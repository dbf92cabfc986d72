// Optimizer arithmetic on flat float32 buffers. Every result is the same for any number of threads. Functions that take
// tensors run where the tensors are, on the CPU or on a GPU.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace picochat::model {

// Sum of squares, in double, over fixed blocks that are added in order.
double squared_norm(const float* values, int64_t count);
// Those blocks' sums, for a buffer that is held in parts: parts of a multiple of so many values have the blocks of the whole.
inline constexpr int64_t kNormBlockValues = 8192;
std::vector<double> squared_norm_blocks(const float* values, int64_t count);

struct AdamWStep {
  double learning_rate = 0;
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weight_decay = 0;
  double gradient_scale = 1;  // clipping and averaging: the gradient is multiplied by this first
  int64_t step = 1;           // counted from 1, for the bias correction
};

// Decoupled weight decay (Loshchilov and Hutter 2019) as in torch.optim.AdamW. Values [0, decay_count) are decayed,
// the rest is not. The gradients are set to zero in the same pass when `clear_gradients`.
void adamw_step(const AdamWStep& options, int64_t count, int64_t decay_count, float* parameters, float* gradients,
                float* first_moment, float* second_moment, bool clear_gradients);

double squared_norm(const at::Tensor& values);
void adamw_step(const AdamWStep& options, int64_t decay_count, const at::Tensor& parameters, const at::Tensor& gradients,
                const at::Tensor& first_moment, const at::Tensor& second_moment, bool clear_gradients);
void ema_update(double decay, const at::Tensor& values, const at::Tensor& average);
// Nesterov momentum (the momentum is updated, the gradients are set to zero), orthogonalised and applied:
// parameters = keep * parameters - rate * update. All are [rows, columns].
struct MuonStep {
  double momentum = 0.95, gradient_scale = 1, keep = 1, rate = 0;
};
void muon_step(const MuonStep& options, const at::Tensor& parameters, const at::Tensor& gradients, const at::Tensor& momentum);

// average = decay * average + (1 - decay) * values: exponential moving average of weights.
void ema_update(double decay, int64_t count, const float* values, float* average);

// Replaces `matrix` [rows, columns] by an approximation of its nearest semi-orthogonal matrix: five steps of the
// quintic Newton-Schulz iteration with coefficients (3.4445, -4.7750, 2.0315) after division by the Frobenius norm
// (Jordan et al., "Muon", 2024). A zero matrix stays zero. On a GPU the iteration runs in bfloat16, as its authors' does.
void muon_orthogonalize(float* matrix, int64_t rows, int64_t columns);

}  // namespace picochat::model
