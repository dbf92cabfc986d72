#include "picochat/train/spike_watch.hpp"

#include <cmath>
#include <limits>

namespace picochat::train {
namespace {

constexpr double kBaselineDecay = 0.95;

}  // namespace

SpikeWatch::Verdict SpikeWatch::observe(double loss) {
  if (!std::isfinite(loss)) return {true, baseline_, std::numeric_limits<double>::infinity()};
  if (!started_) {
    started_ = true;
    baseline_ = loss;
    return {false, baseline_, 1};
  }
  const double ratio = baseline_ > 0 ? loss / baseline_ : 1;
  if (ratio >= options_.threshold) return {true, baseline_, ratio};
  const Verdict verdict{false, baseline_, ratio};
  baseline_ = kBaselineDecay * baseline_ + (1 - kBaselineDecay) * loss;
  return verdict;
}

bool SpikeWatch::may_warn(int64_t step) {
  if (last_warning_ >= 0 && step - last_warning_ < options_.snapshot_every) return false;
  last_warning_ = step;
  return true;
}

base::Json SpikeWatch::state() const { return {{"baseline", baseline_}, {"started", started_}, {"last_warning", last_warning_}}; }

void SpikeWatch::restore(const base::Json& state) {
  baseline_ = state.at("baseline").get<double>();
  started_ = state.at("started").get<bool>();
  last_warning_ = state.at("last_warning").get<int64_t>();
}

}  // namespace picochat::train
