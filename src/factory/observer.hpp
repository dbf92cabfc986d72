// Writes what the training loop tells: metrics.jsonl as it happens, progress.json, TensorBoard files where asked.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "picochat/evidence/metrics_log.hpp"
#include "picochat/evidence/tensorboard.hpp"
#include "picochat/train/trainer.hpp"

namespace picochat::factory {

using base::Json;
using base::Path;

class RunObserver final : public train::TrainObserver {
 public:
  // `dir` holds the logs; `folder`, below it, the checkpoints. tensorboard: root of folders of event files, one a stage.
  RunObserver(base::FileSystem& files, Path dir, std::string stage, const Path& folder, int64_t max_steps, std::optional<std::string> tensorboard);
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
  std::optional<std::string> tensorboard_root_;
  std::unique_ptr<evidence::MetricsLog> log_;
  std::unique_ptr<evidence::TensorBoardLog> tensorboard_;
};

}  // namespace picochat::factory
