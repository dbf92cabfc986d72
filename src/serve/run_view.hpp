// A folder of runs as the page shows it: read, never written. What cannot be read becomes a line in "problems", because a
// run that is being written, or was damaged, is what one wants to look at.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::serve {

// The events of one metrics.jsonl, read on from where the last look ended. Begins anew when the line before that place is
// another one now: going on with a run, or beginning it anew, rewrites the file. Lines that are not JSON are counted and left out.
class MetricsTail {
 public:
  explicit MetricsTail(base::Path path) : path_(std::move(path)) {}
  void refresh();

  // {"stages": {"base": {"steps": {...lists}, "evals": {...lists}}}, "broken_lines"}; longer lists are means of
  // neighbours, `most` at most.
  base::Json curves(size_t most) const;
  // {"stage", "step", "train_loss", "val_bpb"} of the last step; null before the first.
  base::Json position() const;
  // Mean seconds of the last steps of a stage; nothing before the first.
  std::optional<double> step_seconds(const std::string& stage) const;

 private:
  struct Step {
    double step, train_loss, learning_rate, grad_norm, tokens_per_sec, seconds;
  };
  struct Eval {
    double step, val_loss, val_bpb, val_bpb_stderr;
  };
  struct Stage {
    std::vector<Step> steps;
    std::vector<Eval> evals;
  };
  void take_line(std::string_view line);

  base::Path path_;
  uint64_t offset_ = 0;
  std::string last_line_;  // ends at offset_; its times make it unlike any other
  int64_t broken_ = 0;
  std::vector<std::string> order_;
  std::map<std::string, Stage> stages_;
};

class RunView {
 public:
  // `folder`: runs side by side, or one run.
  explicit RunView(base::Path folder);

  std::vector<std::string> names() const;
  base::Path path_of(const std::string& name) const;  // of a name that names() gave
  // The run's folder, for a name that names() has: nothing else reaches the file system.
  std::optional<base::Path> find(const std::string& name) const;

  base::Json list();                                // one line a run, newest first
  base::Json run(const std::string& name);          // everything but curves and rows
  base::Json curves(const std::string& name);
  // Rows of an eval report ("eval", "sft_fit", "sft_fit_heldout") that failed, of one category or of all.
  base::Json failing(const std::string& name, const std::string& report, const std::string& category) const;

 private:
  MetricsTail& tail(const std::string& name, const base::Path& run);  // with mutex_ held
  base::Json short_facts(const std::string& name, const base::Path& run, const base::Json& record, const base::Json& gate);

  const base::Path folder_;
  std::mutex mutex_;
  std::map<std::string, MetricsTail> tails_;
};

}  // namespace picochat::serve
