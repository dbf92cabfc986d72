// Writes what the training loop tells: metrics.jsonl as it happens, progress.json, spike lines.
#pragma once

#include <memory>

#include "picochat/evidence/metrics_log.hpp"
#include "picochat/train/trainer.hpp"

namespace picochat::factory {

using base::Json;
using base::Path;

class RunObserver final : public train::TrainObserver {
 public:
  // `dir` holds the logs; `folder`, below it, the checkpoints.
  RunObserver(base::FileSystem& files, Path dir, std::string stage, const Path& folder, int64_t max_steps);
  void event(const Json& event) override;
  void sync() override;
  void rewound(int64_t step) override;
  void progress(int64_t step, const Json& latest_eval, double train_loss, const std::string& status) override;

 private:
  base::FileSystem& files_;
  Path dir_;
  std::string stage_;
  Path folder_;  // relative to dir_
  int64_t max_steps_;
  std::unique_ptr<evidence::MetricsLog> log_;
};

}  // namespace picochat::factory
