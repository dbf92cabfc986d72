#include "picochat/train/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace picochat::train {
namespace {

double progress_of(int64_t step, int64_t max_steps) {
  return static_cast<double>(step - 1) / static_cast<double>(std::max<int64_t>(1, max_steps - 1));
}

}  // namespace

double LearningRateSchedule::at(int64_t step) const {
  if (step <= warmup_steps) return peak * static_cast<double>(step) / static_cast<double>(warmup_steps);
  if (decay == "none") return peak;
  if (decay == "exponential_rise") return peak * std::pow(min_ratio, 1 - std::clamp(progress_of(step, max_steps), 0.0, 1.0));
  const double progress =
      std::clamp(static_cast<double>(step - warmup_steps) / static_cast<double>(std::max<int64_t>(1, max_steps - warmup_steps)), 0.0, 1.0);
  const double shape = decay == "linear" ? 1 - progress : 0.5 * (1 + std::cos(std::numbers::pi * progress));
  return peak * (min_ratio + (1 - min_ratio) * shape);
}

double weight_decay_at(double weight_decay, const std::string& decay, int64_t step, int64_t max_steps) {
  if (decay != "cosine_to_zero") return weight_decay;
  return weight_decay * 0.5 * (1 + std::cos(std::numbers::pi * progress_of(step, max_steps)));
}

double muon_momentum_at(const std::string& schedule, int64_t step, int64_t max_steps) {
  if (schedule != "peaked") return 0.95;
  const double progress = progress_of(step, max_steps);
  return progress < 0.5 ? 0.85 + (0.97 - 0.85) * 2 * progress : 0.97 - (0.97 - 0.90) * (2 * progress - 1);
}

}  // namespace picochat::train
