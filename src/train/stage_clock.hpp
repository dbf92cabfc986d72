// Where the time of a stage goes: steps, evaluations, checkpoints. Rates count the steps alone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "picochat/base/json.hpp"

namespace picochat::train {

class StageClock {
 public:
  // Model FLOPs of a token, forward and backward; FLOP/s of the device by its data sheet (0: not known); what measures its matrix products.
  StageClock(double flops_per_token, double peak_flops, double hourly_usd, std::function<double()> measure_gemm_flops);

  void stepped(double seconds, int64_t tokens);
  void evaluated(double seconds) { eval_seconds_ += seconds; }
  void saved(double seconds) { save_seconds_ += seconds; }

  // The end of a console line, from " | " on: tokens a second since the last one, shares of the peaks, time and cost to the end, and the share
  // of the elapsed time that went into evaluations and checkpoints.
  std::string line(double elapsed, int64_t steps_done, int64_t steps_left);
  base::Json to_json(double elapsed) const;  // of the whole stage

 private:
  double flops_per_token_, peak_flops_, hourly_usd_, gemm_flops_ = 0;
  std::function<double()> measure_;
  double step_seconds_ = 0, eval_seconds_ = 0, save_seconds_ = 0, interval_seconds_ = 0;
  int64_t tokens_ = 0, interval_tokens_ = 0;
};

}  // namespace picochat::train
