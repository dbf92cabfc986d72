#include "stage_clock.hpp"

#include "picochat/base/text.hpp"

namespace picochat::train {

using base::cat;
using base::fixed;

namespace {
constexpr double kSecondsBeforeMeasuring = 5;  // a stage that is over sooner is not worth a measurement
}

StageClock::StageClock(double flops_per_token, double peak_flops, double hourly_usd, std::function<double()> measure_gemm_flops)
    : flops_per_token_(flops_per_token), peak_flops_(peak_flops), hourly_usd_(hourly_usd), measure_(std::move(measure_gemm_flops)) {}

void StageClock::stepped(double seconds, int64_t tokens) {
  step_seconds_ += seconds;
  interval_seconds_ += seconds;
  tokens_ += tokens;
  interval_tokens_ += tokens;
}

std::string StageClock::line(double elapsed, int64_t steps_done, int64_t steps_left) {
  if (measure_ && elapsed >= kSecondsBeforeMeasuring) {
    gemm_flops_ = measure_();
    measure_ = nullptr;
  }
  const double rate = interval_seconds_ > 0 ? static_cast<double>(interval_tokens_) / interval_seconds_ : 0;
  interval_seconds_ = 0;
  interval_tokens_ = 0;
  std::string text = cat(" | ", base::short_count(rate), " tok/s");
  if (peak_flops_ > 0) text += cat(" | mfu ", fixed(100 * rate * flops_per_token_ / peak_flops_, 1), "%");
  if (gemm_flops_ > 0) text += cat(" | ", fixed(100 * rate * flops_per_token_ / gemm_flops_, 0), "% of gemm");
  if (steps_done <= 0) return text;
  const double left = elapsed / static_cast<double>(steps_done) * static_cast<double>(steps_left);  // evaluations and checkpoints to come are in it
  if (steps_left > 0) text += cat(" | ", base::human_seconds(left), " left");
  if (hourly_usd_ > 0) text += cat(" | ", fixed((elapsed + left) / 3600 * hourly_usd_, 2), " USD in all");
  if (elapsed >= kSecondsBeforeMeasuring) text += cat(" | eval ", fixed(100 * eval_seconds_ / elapsed, 0), "%, save ", fixed(100 * save_seconds_ / elapsed, 0), "%");
  return text;
}

base::Json StageClock::to_json(double elapsed) const {
  base::Json out{{"seconds", elapsed}, {"step_seconds", step_seconds_}, {"eval_seconds", eval_seconds_}, {"checkpoint_seconds", save_seconds_}};
  if (step_seconds_ <= 0) return out;
  const double rate = static_cast<double>(tokens_) / step_seconds_;
  out["tokens_per_sec"] = rate;
  if (peak_flops_ > 0) out["mfu"] = rate * flops_per_token_ / peak_flops_;
  if (gemm_flops_ > 0) out["gemm_flops_per_sec"] = gemm_flops_, out["gemm_share"] = rate * flops_per_token_ / gemm_flops_;
  if (hourly_usd_ > 0) out["cost_usd"] = elapsed / 3600 * hourly_usd_;
  return out;
}

}  // namespace picochat::train
