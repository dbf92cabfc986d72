// The training of one stage, apart from where it stands in a run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compute.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/factory/stage_cache.hpp"
#include "picochat/gate/run_options.hpp"
#include "picochat/tokenizer/tokenizer.hpp"
#include "picochat/train/checkpoint.hpp"
#include "picochat/train/token_shards.hpp"
#include "picochat/train/trainer.hpp"
#include "ranks.hpp"

namespace picochat::factory {

using base::Json;
using base::Path;

struct StageTraining {
  base::FileSystem& files;
  const gate::RunOptions& options;
  Path dir;     // holds metrics.jsonl and progress.json; paths in reports are relative to it
  Path folder;  // checkpoints and reports: a part of `dir`, or `dir` itself
  Path tokenizer_path;
  Compute compute = {};
  std::shared_ptr<tokenizer::Tokenizer> tokenizer;
  double learning_rate = 0;  // peak, after scaling
  std::string fingerprint;   // of what the result depends on
  int64_t eval_every = 0;    // 0: as often as a run does
  double val_fraction = 0.2;  // of SFT's conversations
  int64_t sample_tokens = 160;
  std::string sample_prompt = "What is Picochat?";  // of SFT and DPO
  bool adapters = true;  // the options' adapters are meant for this stage
  Group group;  // null: one process
};

// The options that decide a stage's result: of the model, of a stage ("base_", "sft_" or "dpo_" stands before their names in
// `run tiny`), and of every stage alike.
inline const std::vector<std::string> kModelFields{"context_size", "n_embd", "n_head", "n_kv_head", "n_layer", "dropout", "norm_type", "position_encoding",
                                                   "activation", "tie_embeddings", "qk_norm", "linear_bias", "parallel_residual", "scaled_residual_init",
                                                   "logit_softcap", "rope_base", "initializer_range"};
inline const std::vector<std::string> kStageFields{"steps", "batch_size", "grad_accum_steps", "learning_rate", "lr_warmup_steps", "lr_decay", "min_lr_ratio",
                                                   "grad_clip", "early_stop_patience", "max_minutes", "optimizer", "weight_decay", "weight_decay_decay", "beta1",
                                                   "beta2", "muon_learning_rate", "muon_momentum_schedule", "ema_decay"};
inline const std::vector<std::string> kLoopFields{"early_stop_min_delta", "loss_spike_rollback", "loss_spike_threshold", "loss_spike_lr_decay",
                                                  "loss_spike_min_lr_scale", "loss_spike_snapshot_every"};
// DPO has fewer: AdamW without weight decay.
inline const std::vector<std::string> kDpoFields{"dpo_steps", "dpo_batch_size", "dpo_grad_accum_steps", "dpo_learning_rate", "dpo_beta", "dpo_length_normalize", "dpo_lr_warmup_steps",
                                                 "dpo_lr_decay", "dpo_min_lr_ratio", "dpo_grad_clip", "dpo_early_stop_patience", "dpo_early_stop_min_delta", "dpo_max_minutes"};
// kLoopFields, what else every stage of a run depends on, kStageFields with the prefix, and `more`.
std::vector<std::string> training_fields(const std::string& prefix, const std::vector<std::string>& more);
// Those of SFT; the adapters' only when they are trained, so that runs made before they were there go on.
std::vector<std::string> sft_fields(const gate::RunOptions& options);
std::vector<std::string> lora_fields(const gate::RunOptions& options);
// Those of DPO; adapters: whether it may train adapters.
std::vector<std::string> dpo_fields(const gate::RunOptions& options, bool adapters);
Json picked(const gate::RunOptions& options, const std::vector<std::string>& fields);
// Those fields as a stage's key has them: of batch, accumulation and ranks only their product counts, so a run goes on with another
// micro-batch or on other ranks.
Json training_key(const gate::RunOptions& options, const std::string& prefix, const std::vector<std::string>& fields);

// Trains, publishes the checkpoints, writes and returns the report. With a group the other ranks train along.
Json train_base(const StageTraining& stage, const corpus::Corpus& corpus, const Path& shards);
Json train_sft(const StageTraining& stage, const train::LoadedCheckpoint& start, const Path& start_checkpoint, const Path& chat);
// `reference`: the checkpoint whose log-probabilities replies are compared with; start_checkpoint itself, most often.
Json train_dpo(const StageTraining& stage, const train::LoadedCheckpoint& start, const Path& start_checkpoint, const Path& reference, const Path& preferences);
// What another rank does when rank 0 is in one of these.
void train_as_rank(base::FileSystem& files, const gate::RunOptions& options, const Compute& compute, const Group& group, const Json& order);

// Refuses to discard finished or resumable training in `folder` when the key differs; `discard` is the flag that does.
void refuse_changed_training(const StageCache& cache, base::FileSystem& files, const StageKey& key, const Path& folder, const std::string& discard);
// The same where what changed is something that the stage was made of; `changed`: what, one line each.
void refuse_discarding_training(const StageCache& cache, base::FileSystem& files, const std::string& stage, const std::vector<std::string>& changed, const Path& folder, const std::string& discard);
void drop_working_checkpoints(base::FileSystem& files, const Path& folder);

}  // namespace picochat::factory
