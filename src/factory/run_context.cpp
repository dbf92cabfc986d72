#include "run_context.hpp"

#include <algorithm>

#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/threads.hpp"
#include "stage_training.hpp"

namespace picochat::factory {

using base::cat;

Json picked(const gate::RunOptions& options, const std::vector<std::string>& fields) {
  Json out = Json::object();
  for (const auto& name : fields) {
    const auto* field = gate::run_options().find(name);
    base::require(field != nullptr, "a stage key names known options");
    out[name] = field->value(&options);
  }
  return out;
}

Json RunContext::picked(const std::vector<std::string>& fields) const { return factory::picked(options(), fields); }

void run_stage(RunContext& run, const StageKey& key, const std::vector<Path>& outputs, const std::function<void()>& work) {
  std::vector<std::string> stages = kStages;
  if (!run.options().dpo_input) std::erase(stages, "dpo");
  const auto number = std::find(stages.begin(), stages.end(), key.stage) - stages.begin() + 1;
  const std::string title = cat(number, "/", stages.size(), " ", key.stage);
  if (run.cache.is_current(key)) {
    base::say(cat(title, ": unchanged, reused"));
    run.summary.stages.push_back({key.stage, 0, true});
    return;
  }
  base::say(title);
  report_phase(run.group, key.stage);
  const double begun = base::monotonic_seconds();
  run.cache.record_started(key);
  work();
  run.cache.record_done(key, outputs);
  run.summary.stages.push_back({key.stage, base::monotonic_seconds() - begun, false});
}

void refuse_changed_training(const StageCache& cache, base::FileSystem& files, const StageKey& key, const Path& folder, const std::string& discard) {
  if (cache.state(key.stage) != StageCache::State::kAbsent) refuse_discarding_training(cache, files, key.stage, cache.differences(key), folder, discard);
}

void refuse_discarding_training(const StageCache& cache, base::FileSystem& files, const std::string& stage, const std::vector<std::string>& changed, const Path& folder, const std::string& discard) {
  const auto state = cache.state(stage);
  if (changed.empty() || state == StageCache::State::kAbsent) return;
  const bool finished = state == StageCache::State::kDone;
  const bool resumable = !train::CheckpointSeries(files, folder / "resume_checkpoint").steps().empty();
  if (!finished && !resumable) return;
  throw base::usage_error({.what = cat("the folder already has ", finished ? "finished" : "unfinished", " ", stage, " training made with other inputs or options"),
                           .where = folder.string(), .found = base::join(changed, "\n            "),
                           .remedy = cat("give the earlier options to go on, choose another --out-dir, or add ", discard,
                                         " to discard that training and what follows from it")});
}

}  // namespace picochat::factory
