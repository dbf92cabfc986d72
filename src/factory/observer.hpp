// Writes what the training loop tells: metrics.jsonl as it happens, progress.json, spike lines.
#pragma once

#include <memory>

#include "picochat/evidence/metrics_log.hpp"
#include "run_context.hpp"

namespace picochat::factory {

class RunObserver final : public train::TrainObserver {
 public:
  RunObserver(RunContext& run, std::string stage, int64_t max_steps);
  void event(const Json& event) override;
  void sync() override;
  void rewound(int64_t step) override;
  void progress(int64_t step, const Json& latest_eval, double train_loss, const std::string& status) override;

 private:
  RunContext& run_;
  std::string stage_;
  int64_t max_steps_;
  std::unique_ptr<evidence::MetricsLog> log_;
};

}  // namespace picochat::factory
