// Every flag of `run tiny` in one struct: what the user typed, what the preset said, what we default to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/options.hpp"
#include "picochat/gate/model_config.hpp"

namespace picochat::gate {

struct RunOptions {
  // Run
  std::string out_dir;
  std::string scale = "custom";
  std::optional<std::string> presets_dir;
  std::vector<std::string> fresh;  // stages whose finished work is discarded; the factory knows their names
  int64_t seed = 42;
  int64_t n_seeds = 1;
  bool preflight_only = false;
  bool json = false;
  std::optional<std::string> tensorboard_log_dir;
  double checkpoint_minutes = 5;       // 0: not by time
  int64_t checkpoint_every_steps = 0;  // 0: not by steps
  std::optional<std::string> mirror;   // folder that verified checkpoints are copied to as they appear
  std::optional<std::string> on_exit;  // shell command that runs when the job ends, however it ends
  std::optional<std::string> base_resume_from, sft_resume_from;

  // Data
  std::optional<std::string> dataset_pack, corpus_input, corpus_recipe, chat_input, eval_input;
  int64_t min_score = 0;
  int64_t canary_count = 1;
  std::string split_mode = "document";        // document | window
  std::string base_dataset_mode = "memory";   // memory | sharded | packed: all are memory-mapped token shards here
  int64_t base_shard_token_size = 1'000'000;  // rounded to whole documents
  int64_t base_shard_cache_size = 2;          // accepted and recorded; shards are memory-mapped
  int64_t val_tokens = 32'768;                // held-out tokens scored at every validation
  std::vector<std::string> external_eval;     // [name=]path
  std::string external_eval_format = "auto";
  int64_t external_eval_max_rows = 0;
  bool external_eval_shuffle = false;
  int64_t external_eval_max_new_tokens = 1;

  // Tokenizer
  std::string tokenizer_type = "bpe";  // char | byte | bpe | hf_bpe (alias of bpe) | sentencepiece
  std::optional<int64_t> tokenizer_vocab_size;
  int64_t tokenizer_min_freq = 1, tokenizer_sample_bytes = 0;
  std::string bpe_pretokenizer = "regex", sentencepiece_model = "bpe";

  // Model
  int64_t context_size = 128;
  int64_t n_embd = 64;
  int64_t n_head = 4;
  std::optional<int64_t> n_kv_head;
  int64_t n_layer = 2;
  double dropout = 0;
  std::string norm_type = "layernorm";
  std::string position_encoding = "learned";
  std::string activation = "gelu";
  bool tie_embeddings = false;
  bool qk_norm = false;
  bool linear_bias = true;
  bool parallel_residual = false;
  bool scaled_residual_init = false;
  double logit_softcap = 0;
  double rope_base = 10000;
  double initializer_range = 0.02;
  int64_t xsa_last_n = 0;  // known word of the reference; only 0 is accepted

  // Base training
  int64_t base_steps = 300;
  int64_t base_batch_size = 8;
  bool base_batch_auto = false;  // --base-batch-size auto: the preset's number stands until the device is known
  int64_t base_grad_accum_steps = 1;
  // Fixes batch x accumulation x ranks, so that the same preset means the same mathematics on any number of GPUs:
  // accumulation is derived from it unless --base-grad-accum-steps is given.
  std::optional<int64_t> base_sequences_per_step;
  double base_learning_rate = 3e-4;
  int64_t base_lr_warmup_steps = 0;
  std::string base_lr_decay = "none";
  double base_min_lr_ratio = 1;
  double base_grad_clip = 0;
  int64_t base_early_stop_patience = 6;
  double early_stop_min_delta = 0;
  std::optional<double> base_max_minutes;
  std::string base_optimizer = "adamw";
  double base_weight_decay = 0.01;
  std::string base_weight_decay_decay = "none";
  double base_beta1 = 0.9;
  double base_beta2 = 0.95;
  double base_muon_learning_rate = 0.02;
  std::string base_muon_momentum_schedule = "none";
  double base_ema_decay = 0;
  double target_param_data_ratio = 20;
  bool auto_lr_scaling = false;
  bool loss_spike_rollback = false;
  double loss_spike_threshold = 2.5;
  double loss_spike_lr_decay = 0.5;
  double loss_spike_min_lr_scale = 0.1;
  int64_t loss_spike_snapshot_every = 10;

  // SFT
  int64_t sft_steps = 600;
  int64_t sft_batch_size = 7;
  int64_t sft_grad_accum_steps = 1;
  double sft_learning_rate = 1e-3;
  int64_t sft_lr_warmup_steps = 0;
  std::string sft_lr_decay = "none";
  double sft_min_lr_ratio = 1;
  double sft_grad_clip = 0;
  int64_t sft_early_stop_patience = 6;
  std::optional<double> sft_max_minutes;
  std::string sft_optimizer = "adamw";
  double sft_weight_decay = 0.01;
  std::string sft_weight_decay_decay = "none";
  double sft_beta1 = 0.9;
  double sft_beta2 = 0.95;
  double sft_muon_learning_rate = 0.02;
  std::string sft_muon_momentum_schedule = "none";
  double sft_ema_decay = 0;
  std::string sft_sampling = "uniform";
  std::string sft_packing = "separate";
  int64_t sft_fit_max_rows = 1000;  // 0: all
  std::string sft_peft = "none";
  int64_t sft_lora_rank = 8;
  double sft_lora_alpha = 16;
  double sft_lora_dropout = 0;
  std::string sft_lora_targets = "attn_qkv,attn_proj";

  // DPO
  std::optional<std::string> dpo_input;
  int64_t dpo_steps = 0;
  int64_t dpo_batch_size = 4;
  double dpo_learning_rate = 5e-6;
  double dpo_beta = 0.1;
  int64_t dpo_grad_accum_steps = 1;
  int64_t dpo_lr_warmup_steps = 0;
  std::string dpo_lr_decay = "none";
  double dpo_min_lr_ratio = 1;
  double dpo_grad_clip = 0;
  int64_t dpo_early_stop_patience = 4;
  double dpo_early_stop_min_delta = 0;
  int64_t dpo_eval_batches = 10;
  std::optional<double> dpo_max_minutes;
  bool dpo_length_normalize = false;

  // Device
  std::string device = "auto";
  int64_t threads = 0;  // 0: one per core
  std::string precision = "float32";
  std::string matmul_precision = "default";
  std::string attn_backend = "auto";
  bool torch_compile = false;  // fused kernels and a captured CUDA graph; not applicable on the CPU
  std::string torch_compile_mode = "default";
  bool gradient_checkpointing = false;
  bool deterministic = false;
  bool ddp = false;
  int64_t ddp_world_size = 1;
  double ddp_setup_minutes = 720;      // how long the other ranks wait for rank 0's set-up
  std::string distributed_strategy = "ddp";
  std::optional<double> gpu_hourly_usd;

  // Evaluation and gates
  int64_t eval_max_new_tokens = 120;
  std::string long_run_gate_profile = "research";  // research | first_release | skill_release
  std::optional<std::string> sanity_report;
  bool allow_leaky_eval = false;
  bool allow_default_tuning_data = false;
  bool allow_unsafe_long_run = false;
};

// The fields with their flags, help, choices and bounds. "--pack" is an alias of "--dataset-pack" and
// "--compile" of "--torch-compile"; a boolean's aliases have their "--no-..." form too. Vocabulary that
// is not built ("--device mps", "--xsa-last-n 2", "--activation leaky_relu2") is refused by the table with a pointer.
const base::OptionTable<RunOptions>& run_options();

// Whether a preset may set this field: true for what makes the model and its training, false for
// paths, the device, the seed and permissions.
bool preset_may_set(const std::string& field);

enum class OptionSource { kDefault, kPreset, kFlag, kEnvironment, kDerived };
std::string to_text(OptionSource source);  // "default" "preset" "flag" "environment" "derived"

// What the chosen preset plans when nothing is overridden; checks that ask "is this what the preset
// intends" compare with it. Absent for `custom`.
struct PresetIntent {
  int64_t base_effective_batch = 0, sft_effective_batch = 0, world_size = 1;
  double base_learning_rate = 0, sft_learning_rate = 0;
};

struct ResolvedRunOptions {
  RunOptions options;
  std::map<std::string, OptionSource> source;  // per field
  std::optional<PresetIntent> intent;
};

struct ResolveContext {
  std::optional<int64_t> world_size;  // WORLD_SIZE of torchrun or `picochat launch`: implies ddp
};

// `flags` holds what the user gave: {"base_steps": 100, ...}. Precedence: flag > preset > default.
// Usage error for unknown fields, values out of bounds, vocabulary that is not built, and
// combinations that cannot be meant (a pack together with --corpus-input ...).
ResolvedRunOptions resolve_run_options(const base::Json& flags, const ResolveContext& context = {});

// {"base_steps": {"value": 100, "source": "flag"}, ...}
base::Json provenance_json(const ResolvedRunOptions& resolved);
// What an option was resolved to, by a run.json that holds the above as its "options"; null when it does not say.
base::Json recorded_option(const base::Json& run, const std::string& name);

// The shape that the options describe for a tokenizer of this size. Usage error naming the flag when it cannot be built.
ModelConfig model_config(const RunOptions& options, int64_t vocab_size);

}  // namespace picochat::gate
