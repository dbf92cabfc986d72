// metrics.jsonl: what happened in training, one JSON object a line, as it happens. Format:
// docs/formats/reports.md. Two runs of one command give equal lines but for their "timing" objects.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/jsonl.hpp"

namespace picochat::evidence {

inline constexpr int kMetricsVersion = 1;

// Appends events. Each has "event" (step, eval, spike, rollback, checkpoint, early_stop, stage_end, note),
// "stage" (base, sft, dpo) and "step"; numbers that are not finite become null; keys that depend on
// the clock (seconds, rates per second, times, mfu) are moved into "timing".
// Order that resuming relies on: all lines of a step are appended before its checkpoint is published.
class MetricsLog {
 public:
  MetricsLog(base::FileSystem& files, const base::Path& path);
  void append(base::Json event);
  void sync();
  // cut_metrics on the open log: what a trainer asks for when it goes back to an earlier step.
  void rewind(const std::string& stage, int64_t step);

 private:
  void open();
  base::FileSystem& files_;
  base::Path path_;
  std::unique_ptr<base::JsonlAppender> appender_;
};

// Before a stage goes on from the checkpoint of `step`: drops its later lines, its stage_end, and
// every line of the stages after it. Nothing happens when the file does not exist.
void cut_metrics(base::FileSystem& files, const base::Path& path, const std::string& stage, int64_t step);

// The events of a stage ("" for all), in order, without the line that states the version. BadInput on a
// version that this program does not know.
std::vector<base::Json> read_metrics(const base::Path& path, const std::string& stage = "");

// The same events without "timing": what two runs are compared by.
std::string comparable_metrics(const base::Path& path);

// progress.json, replaced atomically: where a run stands, for people and dashboards.
struct ProgressFacts {
  std::string status = "in_progress";  // or the stop reason
  std::string stage;
  int64_t step = 0, max_steps = 0;
  base::Json train_loss, latest_eval;  // null until measured
  std::string best_checkpoint, resume_checkpoint, resume_from, note;
};
void write_progress(base::FileSystem& files, const base::Path& path, const ProgressFacts& facts);

}  // namespace picochat::evidence
