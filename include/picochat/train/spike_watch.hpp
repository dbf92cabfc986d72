// Watches the training loss for spikes: a loss above `threshold` times its moving average, or one
// that is not finite. Watching only warns; with rollback the loop restores a snapshot.
#pragma once

#include <cstdint>

#include "picochat/base/json.hpp"

namespace picochat::train {

struct SpikeOptions {
  bool rollback = false;
  double threshold = 2.5;      // x the moving average
  double lr_decay = 0.5;       // learning-rate scale per rollback
  double min_lr_scale = 0.1;
  int64_t snapshot_every = 10; // steps; also the least distance between two warnings
  int64_t max_rollbacks = 20;  // in a stage; then it ends with an error
};

class SpikeWatch {
 public:
  struct Verdict {
    bool spike = false;
    double baseline = 0, ratio = 0;  // ratio is infinite when the loss is not finite
  };
  explicit SpikeWatch(const SpikeOptions& options) : options_(options) {}
  // Judges one step's loss; a loss that is no spike moves the baseline (decay 0.95, first loss as start).
  Verdict observe(double loss);
  bool may_warn(int64_t step);  // true at most once in snapshot_every steps
  base::Json state() const;
  void restore(const base::Json& state);

 private:
  SpikeOptions options_;
  double baseline_ = 0;
  bool started_ = false;
  int64_t last_warning_ = -1;
};

}  // namespace picochat::train
