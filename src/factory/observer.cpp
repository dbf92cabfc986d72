#include "observer.hpp"

#include <cmath>

namespace picochat::factory {

RunObserver::RunObserver(RunContext& run, std::string stage, int64_t max_steps) : run_(run), stage_(std::move(stage)), max_steps_(max_steps) {}

void RunObserver::event(const Json& event) { log_->append(event); }
void RunObserver::sync() { log_->sync(); }

void RunObserver::rewound(int64_t step) {
  const Path path = run_.at("metrics.jsonl");
  log_.reset();  // the file is rewritten, so the open one must go first
  evidence::cut_metrics(run_.files, path, stage_, step);
  log_ = std::make_unique<evidence::MetricsLog>(run_.files, path);
}

void RunObserver::progress(int64_t step, const Json& latest_eval, double train_loss, const std::string& status) {
  evidence::ProgressFacts facts{.status = status, .stage = stage_, .step = step, .max_steps = max_steps_};
  facts.train_loss = std::isfinite(train_loss) ? Json(train_loss) : Json(nullptr);
  facts.latest_eval = latest_eval;
  facts.best_checkpoint = stage_ + "/best";
  facts.resume_checkpoint = stage_ + "/resume_checkpoint";
  evidence::write_progress(run_.files, run_.at("progress.json"), facts);
}

}  // namespace picochat::factory
