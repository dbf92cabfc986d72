// Schedules: pure functions of the step, counted from 1.
#pragma once

#include <cstdint>
#include <string>

namespace picochat::train {

struct LearningRateSchedule {
  double peak = 0;
  int64_t warmup_steps = 0, max_steps = 1;
  std::string decay = "none";  // none, linear, cosine
  double min_ratio = 1;

  // "exponential_rise" is the range test's: from min_ratio of the peak at step 1 to the peak at the last step.
  // Else: linear warm-up to the peak, then from 1 down to min_ratio of it over the remaining steps.
  double at(int64_t step) const;
};

// none: constant; cosine_to_zero: half a cosine from the first step to the last.
double weight_decay_at(double weight_decay, const std::string& decay, int64_t step, int64_t max_steps);

// none: 0.95; peaked: 0.85 -> 0.97 over the first half, 0.97 -> 0.90 over the second.
double muon_momentum_at(const std::string& schedule, int64_t step, int64_t max_steps);

}  // namespace picochat::train
