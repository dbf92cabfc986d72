#include "observer.hpp"

#include <cmath>

#include "picochat/base/clock.hpp"

namespace picochat::factory {

RunObserver::RunObserver(base::FileSystem& files, Path dir, std::string stage, const Path& folder, int64_t max_steps, std::optional<std::string> tensorboard)
    : files_(files), dir_(std::move(dir)), stage_(std::move(stage)), folder_(folder.lexically_relative(dir_)), max_steps_(max_steps),
      tensorboard_root_(std::move(tensorboard)) {}

void RunObserver::event(const Json& event) {
  log_->append(event);
  if (tensorboard_) tensorboard_->event(event, base::unix_seconds());
}

void RunObserver::sync() { log_->sync(); }

void RunObserver::rewound(int64_t step) {
  const Path path = dir_ / "metrics.jsonl";
  log_.reset();  // the file is rewritten, so the open one must go first
  evidence::cut_metrics(files_, path, stage_, step);
  log_ = std::make_unique<evidence::MetricsLog>(files_, path);
  if (tensorboard_root_) tensorboard_ = std::make_unique<evidence::TensorBoardLog>(files_, Path(*tensorboard_root_) / stage_, step, base::unix_seconds());
}

void RunObserver::progress(int64_t step, const Json& latest_eval, double train_loss, const std::string& status) {
  evidence::ProgressFacts facts{.status = status, .stage = stage_, .step = step, .max_steps = max_steps_};
  facts.train_loss = std::isfinite(train_loss) ? Json(train_loss) : Json(nullptr);
  facts.latest_eval = latest_eval;
  facts.best_checkpoint = (folder_ / "best").lexically_normal().string();
  facts.resume_checkpoint = (folder_ / "resume_checkpoint").lexically_normal().string();
  evidence::write_progress(files_, dir_ / "progress.json", facts);
}

}  // namespace picochat::factory
