// The numbers of a stage that a checkpoint carries beside the tensors. No time, no path.
#pragma once

#include <cstdint>
#include <optional>

#include "picochat/base/json.hpp"
#include "picochat/train/spike_watch.hpp"

namespace picochat::train {

struct LoopState {
  int64_t step = 0;             // completed steps
  int64_t updates = 0;          // optimizer updates: steps minus the ones skipped as not finite
  int64_t supervised_tokens = 0;
  double train_loss = 0;        // of the last step
  std::optional<double> best_metric;
  int64_t best_step = 0;
  int64_t evals_without_improvement = 0;
  int64_t skipped_in_a_row = 0;
  double lr_scale = 1;
  base::Json rollback_events = base::Json::array();
  base::Json latest_eval;       // null until evaluated
  base::Json spike;             // SpikeWatch::state()
};

base::Json to_json(const LoopState& state);
LoopState loop_state_from_json(const base::Json& json, const std::string& where);

}  // namespace picochat::train
