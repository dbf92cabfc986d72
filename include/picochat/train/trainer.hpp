// The one training loop. Base training, SFT and DPO differ only in their batch source and validator.
//
// State between steps: parameters, optimizer moments, the moving average (when on), and the few
// numbers of LoopState. A checkpoint holds all of it, so a resumed run continues bit for bit.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "picochat/base/file_system.hpp"
#include "picochat/model/transformer.hpp"
#include "picochat/train/batch_source.hpp"
#include "picochat/train/checkpoint.hpp"
#include "picochat/train/lora.hpp"
#include "picochat/train/optimizer.hpp"
#include "picochat/train/process_group.hpp"
#include "picochat/train/schedule.hpp"
#include "picochat/train/spike_watch.hpp"
#include "picochat/train/validation.hpp"

namespace picochat::train {

enum class SelectBy { kValBpb, kValLoss };

// What each rank holds: all; all but its part of the optimizer's state; its part of everything.
enum class Strategy { kDdp, kZero1, kFsdp };

struct TrainerOptions {
  std::string stage;               // "base", "sft" or "dpo": names the console lines and events
  base::Path folder;               // <run>/<stage>
  model::Config config;
  model::TransformerOptions compute;  // where and in which precision
  int64_t max_steps = 1;
  int64_t grad_accum_steps = 1;    // micro-steps of an optimizer step, on all ranks together
  LearningRateSchedule learning_rate;
  OptimizerOptions optimizer;
  double weight_decay = 0.01;
  std::string weight_decay_decay = "none", muon_momentum_schedule = "none";
  double grad_clip = 0;            // 0: off
  double ema_decay = 0;            // 0: off
  int64_t eval_every = 0;          // steps; the last step is always evaluated
  int64_t early_stop_patience = 0; // evaluations without improvement; 0: off
  double early_stop_min_delta = 0;
  double max_minutes = 0;          // 0: no limit
  SelectBy select_by = SelectBy::kValBpb;
  SpikeOptions spike;
  double checkpoint_minutes = 5;       // 0: off
  int64_t checkpoint_every_steps = 0;  // 0: off
  int64_t keep_checkpoints = 2;
  std::function<void(const base::Path& checkpoint)> published;  // called on a thread of its own for every checkpoint that was verified
  std::function<bool()> stop_when;     // asked after each step; true ends the stage with the reason "stopped"
  std::shared_ptr<ProcessGroup> group; // null: one process
  Strategy strategy = Strategy::kDdp;  // the others hold parts: not with Muon
  std::shared_ptr<const Lora> lora;    // null: all weights are trained
  uint64_t lora_seed = 0;
  double flops_per_token = 0, peak_flops = 0;  // 0: MFU is not reported
  std::function<double()> measure_gemm_flops;  // asked once, when the stage has run for a while; empty: not reported
  double hourly_usd = 0;                       // of all devices together; 0: cost is not reported
  std::string fingerprint;         // what the stage's key is made of; a checkpoint of another one is refused
  base::Json identity = base::Json::object();  // written into every checkpoint's metadata (tokenizer digest, base checkpoint, ...)
};

// What the loop tells as it happens. Events are JSON objects as metrics.jsonl has them.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void event(const base::Json& event) = 0;
  virtual void sync() {}
  // The loop continues (or goes back) after `step`: later lines are no longer true.
  virtual void rewound(int64_t step) = 0;
  virtual void progress(int64_t step, const base::Json& latest_eval, double train_loss, const std::string& status) = 0;
};

// Of the ranks that write nothing.
class SilentObserver final : public TrainObserver {
 public:
  void event(const base::Json&) override {}
  void rewound(int64_t) override {}
  void progress(int64_t, const base::Json&, double, const std::string&) override {}
};

struct TrainResult {
  int64_t steps = 0;
  std::string stop_reason;          // max_steps, early_stop, max_minutes
  int64_t best_step = 0;            // 0 when nothing was evaluated
  base::Path checkpoint, last_checkpoint;
  std::optional<base::Path> ema_checkpoint;
  base::Digest checkpoint_digest;
  double seconds = 0;               // of this process, for timing only
};

// Trains from `initial` (flat, not changed, and let go of once it was copied) or from the newest checkpoint in <folder>/resume_checkpoint that
// verifies. Publishes <folder>/checkpoint (selected by validation) and <folder>/last_checkpoint.
// On a signal: saves, then throws base::Interrupted. With a group every rank calls this with the same options and data; rank 0 alone reads
// and writes files and tells its observer, and the other ranks' results hold no paths.
TrainResult train(base::FileSystem& files, const TrainerOptions& options, at::Tensor initial, BatchSource& source, Validator& validator,
                  TrainObserver& observer);

// Deletes what a finished or abandoned stage left, so that it runs anew.
void clear_stage(base::FileSystem& files, const base::Path& folder);

}  // namespace picochat::train
