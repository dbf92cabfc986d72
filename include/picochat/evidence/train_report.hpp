// train_report.json / sft_report.json and their report.md, made from the recorded events of a stage.
// Pure functions; what was not recorded is null.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::evidence {

// What the stage knew beside its events.
struct TrainFacts {
  std::string stage;                                  // "base", "sft", "dpo"
  base::Json config = base::Json::object();           // options as resolved, device, optimizer and precision metadata
  base::Json dataset = base::Json::object();          // split statistics; sft: rows, masks, packing
  base::Json model = base::Json::object();            // {config, num_parameters}
  int64_t planned_steps = 0, actual_steps = 0;
  int64_t micro_batch_size = 0, grad_accum_steps = 1, world_size = 1, context_size = 0;
  int64_t train_tokens = 0, dataset_tokens = 0;       // distinct tokens to train on, and with validation
  std::optional<int64_t> actual_training_tokens;      // counted by the loop; else steps x tokens per step
  double grad_clip = 0;
  std::optional<double> flops_per_token;
  std::string stop_reason;                            // max_steps | early_stop | max_minutes | interrupted
  base::Json checkpoint, best_checkpoint, last_checkpoint, resume_checkpoint, ema_checkpoint;  // {path, sha256} or null
  std::string sample;                                 // generated text
  base::Json extra = base::Json::object();            // further keys, put in as they are (memorization, label_audit, ...)
};

// Rows of losses[]: one per eval event, with the step event's figures beside it; rates under "timing".
base::Json loss_rows(std::span<const base::Json> events);
base::Json loss_diagnostics(const base::Json& losses);
base::Json optimization_stability(std::span<const base::Json> events, double grad_clip);
base::Json coverage(const TrainFacts& facts);
base::Json throughput(std::span<const base::Json> events);

base::Json build_train_report(const TrainFacts& facts, std::span<const base::Json> events);
std::string train_report_markdown(const base::Json& report);

// <folder>/<name> (train_report.json or sft_report.json), report.md, curves.svg and sample.txt.
void write_train_report(base::FileSystem& files, const base::Path& folder, const std::string& name,
                        const base::Json& report, std::span<const base::Json> events);

// The part of a stage's report that summary.json holds: final and best figures, coverage, diagnostics.
base::Json stage_summary(const base::Json& train_report);

}  // namespace picochat::evidence
