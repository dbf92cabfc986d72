#include "picochat/train/optimizer.hpp"

#include <algorithm>
#include <cmath>

#include "picochat/model/optimizer_kernels.hpp"

namespace picochat::train {

Optimizer::Optimizer(const model::ParameterLayout& layout, const OptimizerOptions& options, at::Device device)
    : layout_(layout), options_(options), parts_{{layout.size(), layout.decay_size()}}, first_(model::allocate_flat(layout.size(), device)),
      second_(model::allocate_flat(layout.size(), device)) {}

Optimizer::Optimizer(const model::ParameterLayout& layout, std::vector<Part> parts, const OptimizerOptions& options, at::Device device)
    : layout_(layout), options_(options), parts_(std::move(parts)) {
  options_.name = "adamw";
  int64_t count = 0;
  for (const Part& part : parts_) count += part.count;
  first_ = model::allocate_flat(count, device);
  second_ = model::allocate_flat(count, device);
}

void Optimizer::step(const OptimizerStep& step, const at::Tensor& parameters, const at::Tensor& gradients) {
  const model::AdamWStep adamw{.learning_rate = step.learning_rate, .beta1 = options_.beta1, .beta2 = options_.beta2, .epsilon = options_.epsilon,
                               .weight_decay = step.weight_decay, .gradient_scale = step.gradient_scale, .step = step.step};
  if (options_.name != "muon") {
    int64_t first = 0;
    for (const Part& part : parts_) {
      auto values = [&](const at::Tensor& flat) { return flat.narrow(0, first, part.count); };
      model::adamw_step(adamw, part.decayed, values(parameters), values(gradients), values(first_), values(second_), true);
      first += part.count;
    }
    return;
  }
  for (const auto& entry : layout_.entries()) {
    if (entry.hidden_matrix) {
      muon_update(entry, step, parameters, gradients);
    } else {
      auto part = [&](const at::Tensor& flat) { return flat.narrow(0, entry.offset, entry.count); };
      model::adamw_step(adamw, entry.decay ? entry.count : 0, part(parameters), part(gradients), part(first_), part(second_), true);
    }
  }
}

// A tall matrix's update is scaled by sqrt(rows / columns) so that its root mean square does not depend on the shape
// (Jordan et al., "Muon", 2024).
void Optimizer::muon_update(const model::ParameterLayout::Entry& entry, const OptimizerStep& step, const at::Tensor& parameters, const at::Tensor& gradients) {
  const double rate = step.learning_rate * options_.muon_rate_ratio, tallness = static_cast<double>(entry.shape[0]) / static_cast<double>(entry.shape[1]);
  model::muon_step({.momentum = step.muon_momentum, .gradient_scale = step.gradient_scale, .keep = 1 - rate * step.weight_decay, .rate = rate * std::sqrt(std::max(1.0, tallness))},
                   layout_.view(parameters, entry), layout_.view(gradients, entry), layout_.view(first_, entry));
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
