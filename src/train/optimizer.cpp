#include "picochat/train/optimizer.hpp"

#include <algorithm>
#include <cmath>

#include "picochat/model/optimizer_kernels.hpp"

namespace picochat::train {

Optimizer::Optimizer(const model::ParameterLayout& layout, const OptimizerOptions& options)
    : layout_(layout), options_(options), size_(layout.size()), decay_size_(layout.decay_size()), first_(model::allocate_flat(size_)), second_(model::allocate_flat(size_)) {}

Optimizer::Optimizer(const model::ParameterLayout& layout, int64_t count, const OptimizerOptions& options)
    : layout_(layout), options_(options), size_(count), decay_size_(count), first_(model::allocate_flat(count)), second_(model::allocate_flat(count)) {
  options_.name = "adamw";
}

void Optimizer::step(const OptimizerStep& step, const at::Tensor& parameters, const at::Tensor& gradients) {
  auto* weights = parameters.data_ptr<float>();
  auto* slopes = gradients.data_ptr<float>();
  auto *first = first_.data_ptr<float>(), *second = second_.data_ptr<float>();
  const model::AdamWStep adamw{.learning_rate = step.learning_rate, .beta1 = options_.beta1, .beta2 = options_.beta2, .epsilon = options_.epsilon,
                               .weight_decay = step.weight_decay, .gradient_scale = step.gradient_scale, .step = step.step};
  if (options_.name != "muon") {
    model::adamw_step(adamw, size_, decay_size_, weights, slopes, first, second, true);
    return;
  }
  for (const auto& entry : layout_.entries()) {
    if (entry.hidden_matrix) {
      muon_update(entry, step, weights, slopes);
    } else {
      const int64_t at = entry.offset;
      model::adamw_step(adamw, entry.count, entry.decay ? entry.count : 0, weights + at, slopes + at, first + at, second + at, true);
    }
  }
}

// Nesterov momentum, orthogonalised; a tall matrix's update is scaled by sqrt(rows / columns) so
// that its root mean square does not depend on the shape (Jordan et al., "Muon", 2024).
void Optimizer::muon_update(const model::ParameterLayout::Entry& entry, const OptimizerStep& step, float* parameters, float* gradients) {
  const int64_t rows = entry.shape[0], columns = entry.shape[1];
  float *weights = parameters + entry.offset, *slopes = gradients + entry.offset, *momentum = first_.data_ptr<float>() + entry.offset;
  update_.resize(static_cast<size_t>(entry.count));
  const auto beta = static_cast<float>(step.muon_momentum), scale = static_cast<float>(step.gradient_scale);
  for (int64_t i = 0; i < entry.count; ++i) {
    const float slope = slopes[i] * scale;
    momentum[i] = beta * momentum[i] + slope;
    update_[static_cast<size_t>(i)] = slope + beta * momentum[i];
    slopes[i] = 0;
  }
  model::muon_orthogonalize(update_.data(), rows, columns);
  const double rate = step.learning_rate * options_.muon_rate_ratio;
  const auto keep = static_cast<float>(1 - rate * step.weight_decay);
  const auto amount = static_cast<float>(rate * std::sqrt(std::max(1.0, static_cast<double>(rows) / static_cast<double>(columns))));
  for (int64_t i = 0; i < entry.count; ++i) weights[i] = keep * weights[i] - amount * update_[static_cast<size_t>(i)];
}

base::Json Optimizer::description() const {
  int64_t matrices = 0, muon_parameters = 0, parameters = 0;
  for (const auto& entry : layout_.entries()) {
    parameters += entry.count;
    if (options_.name == "muon" && entry.hidden_matrix) ++matrices, muon_parameters += entry.count;
  }
  return {{"optimizer", options_.name}, {"adamw_parameters", parameters - muon_parameters}, {"muon_parameters", muon_parameters},
          {"muon_matrix_count", matrices}, {"beta1", options_.beta1}, {"beta2", options_.beta2}, {"epsilon", options_.epsilon},
          {"weight_decay_on", "matrices"}};
}

}  // namespace picochat::train
