#include "picochat/model/optimizer_kernels.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/device_optimizer.hpp"
#include "model/kernels/table.hpp"

namespace picochat::model {

static_assert(kNormBlockValues == kernels::kNormBlock);

std::vector<double> squared_norm_blocks(const float* values, int64_t count) {
  std::vector<double> partial(static_cast<size_t>((count + kernels::kNormBlock - 1) / kernels::kNormBlock));
  kernels::optimizer_table().squared_norm(values, count, partial.data());
  return partial;
}

double squared_norm(const float* values, int64_t count) {
  std::vector<double> partial(static_cast<size_t>((count + kernels::kNormBlock - 1) / kernels::kNormBlock));
  return kernels::optimizer_table().squared_norm(values, count, partial.data());
}

kernels::AdamWRule adamw_rule(const AdamWStep& o) {
  const double step = static_cast<double>(o.step);
  const double correction1 = 1 - std::pow(o.beta1, step), correction2 = 1 - std::pow(o.beta2, step);
  return {.beta1 = static_cast<float>(o.beta1),
          .beta2 = static_cast<float>(o.beta2),
          .epsilon = static_cast<float>(o.epsilon),
          .decay_factor = static_cast<float>(1 - o.learning_rate * o.weight_decay),
          .gradient_scale = static_cast<float>(o.gradient_scale),
          .step_size = static_cast<float>(o.learning_rate / correction1),
          .second_correction = static_cast<float>(1 / std::sqrt(correction2))};
}

void adamw_step(const AdamWStep& o, int64_t count, int64_t decay_count, float* parameters, float* gradients,
                float* first_moment, float* second_moment, bool clear_gradients) {
  kernels::AdamWRule c = adamw_rule(o);
  const auto& table = kernels::optimizer_table();
  table.adamw(c, 0, decay_count, parameters, gradients, first_moment, second_moment, clear_gradients);
  c.decay_factor = 1;
  table.adamw(c, decay_count, count, parameters, gradients, first_moment, second_moment, clear_gradients);
}

double squared_norm(const at::Tensor& values) {
  if (!values.is_cpu()) return device_squared_norm(values);
  return squared_norm(values.data_ptr<float>(), values.numel());
}

void adamw_step(const AdamWStep& options, int64_t decay_count, const at::Tensor& parameters, const at::Tensor& gradients,
                const at::Tensor& first_moment, const at::Tensor& second_moment, bool clear_gradients) {
  if (!parameters.is_cpu()) return device_adamw_step(options, decay_count, parameters, gradients, first_moment, second_moment, clear_gradients);
  adamw_step(options, parameters.numel(), decay_count, parameters.data_ptr<float>(), gradients.data_ptr<float>(), first_moment.data_ptr<float>(),
             second_moment.data_ptr<float>(), clear_gradients);
}

void ema_update(double decay, const at::Tensor& values, const at::Tensor& average) {
  if (!values.is_cpu()) return device_ema_update(decay, values, average);
  ema_update(decay, values.numel(), values.data_ptr<float>(), average.data_ptr<float>());
}

void muon_step(const MuonStep& o, const at::Tensor& parameters, const at::Tensor& gradients, const at::Tensor& momentum_of) {
  if (!parameters.is_cpu()) return device_muon_step(o, parameters, gradients, momentum_of);
  const int64_t count = parameters.numel();
  float *weights = parameters.data_ptr<float>(), *slopes = gradients.data_ptr<float>(), *momentum = momentum_of.data_ptr<float>();
  std::vector<float> update(static_cast<size_t>(count));
  const auto beta = static_cast<float>(o.momentum), scale = static_cast<float>(o.gradient_scale);
  for (int64_t i = 0; i < count; ++i) {
    const float slope = slopes[i] * scale;
    momentum[i] = beta * momentum[i] + slope;
    update[static_cast<size_t>(i)] = slope + beta * momentum[i];
    slopes[i] = 0;
  }
  muon_orthogonalize(update.data(), parameters.size(0), parameters.size(1));
  const auto keep = static_cast<float>(o.keep), rate = static_cast<float>(o.rate);
  for (int64_t i = 0; i < count; ++i) weights[i] = keep * weights[i] - rate * update[static_cast<size_t>(i)];
}

void ema_update(double decay, int64_t count, const float* values, float* average) {
  kernels::optimizer_table().ema(static_cast<float>(decay), count, values, average);
}

void muon_orthogonalize(float* matrix, int64_t rows, int64_t columns) {
  constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;
  constexpr int kSteps = 5;
  const int64_t count = rows * columns, side = std::min(rows, columns);
  const double norm = std::sqrt(squared_norm(matrix, count));
  if (!(norm > 0)) return;
  const float scale = static_cast<float>(1 / (norm + 1e-7));
  for (int64_t i = 0; i < count; ++i) matrix[i] *= scale;
  std::vector<float> gram(static_cast<size_t>(side * side)), scaled(gram.size()), polynomial(gram.size()), next(static_cast<size_t>(count));
  float* x = matrix;
  float* y = next.data();
  const bool wide = rows <= columns;  // the smaller Gram matrix: X X^T of a wide matrix, X^T X of a tall one
  const auto square = [side](std::vector<float>& values) { return kernels::Matrix<float>{values.data(), side, side, side}; };
  const auto multiply = [&](bool ta, kernels::Matrix<float> a, bool tb, kernels::Matrix<float> b, bool accumulate, kernels::Matrix<float> c) {
    kernels::table<float>().product(ta, a, tb, b, accumulate, c, kernels::product_scratch<float>());
  };
  for (int step = 0; step < kSteps; ++step) {  // y = a x + (b A + c A^2) x
    const kernels::Matrix<float> from{x, rows, columns, columns}, to{y, rows, columns, columns};
    multiply(!wide, from, wide, from, false, square(gram));
    for (size_t i = 0; i < gram.size(); ++i) {
      polynomial[i] = kB * gram[i];
      scaled[i] = kC * gram[i];
    }
    multiply(false, square(scaled), false, square(gram), true, square(polynomial));
    for (int64_t i = 0; i < count; ++i) y[i] = kA * x[i];
    if (wide)
      multiply(false, square(polynomial), false, from, true, to);
    else
      multiply(false, from, false, square(polynomial), true, to);
    std::swap(x, y);
  }
  if (x != matrix) std::copy_n(x, count, matrix);
}

}  // namespace picochat::model
