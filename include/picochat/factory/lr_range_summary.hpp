// What the losses of a range test say about the learning rate: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "picochat/base/json.hpp"

namespace picochat::factory {

struct LrRangeRow {
  int64_t step;
  double learning_rate, loss, smooth;
};

// Fills in the last row's smoothed loss and says whether the loss has left its best value far behind.
void smooth_and_judge(std::vector<LrRangeRow>& rows, double beta, int64_t planned_steps, double divergence_factor, bool& diverged);

// {steps_run, stop_reason, best_step, best_lr, best_smooth_loss, recommended_lr, safe_lr_ceiling, recommendation_note}
base::Json lr_range_summary(const std::vector<LrRangeRow>& rows, int64_t planned_steps, double min_lr, bool diverged);

}  // namespace picochat::factory
