#include "picochat/gate/run_options.hpp"

#include <set>

namespace picochat::gate {
namespace {

using Table = base::OptionTable<RunOptions>;
using O = RunOptions;

const std::vector<std::string> kDecays{"none", "linear", "cosine"};
const std::vector<std::string> kOptimizers{"adamw", "muon"};
const std::vector<std::string> kWeightDecayDecays{"none", "cosine_to_zero"};
const std::vector<std::string> kMomentumSchedules{"none", "peaked"};

void add_run(Table& t) {
  const char* group = "Run";
  t.add("out_dir", &O::out_dir, "run directory; the same command resumes what is in it").must().in(group);
  t.add("scale", &O::scale, "preset to start from, or custom (see docs/presets.md)").in(group);
  t.add("presets_dir", &O::presets_dir, "folder of presets that override or extend the built-in ones").in(group);
  t.add("fresh", &O::fresh, "discard the finished work of this stage and what depends on it (repeatable)").in(group).metavar = "STAGE";
  t.add("seed", &O::seed, "seed of initialisation, data order and sampling").at_least(0).in(group);
  t.add("n_seeds", &O::n_seeds, "consecutive seeds to run, with an aggregate report").at_least(1).in(group);
  t.add("preflight_only", &O::preflight_only, "judge the plan, write preflight.json and .md, train nothing").in(group);
  t.add("json", &O::json, "print the result as JSON on stdout").in(group);
  t.add("tensorboard_log_dir", &O::tensorboard_log_dir, "root of base/, sft/, dpo/ event folders").in(group);
  t.add("checkpoint_minutes", &O::checkpoint_minutes, "save a resumable checkpoint this often; 0: not by time").at_least(0).in(group);
  t.add("checkpoint_every_steps", &O::checkpoint_every_steps, "and every so many steps; 0: not by steps").at_least(0).in(group);
  t.add("mirror", &O::mirror, "copy every verified checkpoint into this folder, on another disk").in(group).metavar = "DIR";
  t.add("on_exit", &O::on_exit, "shell command that runs when the job ends, however it ends (to stop paying)").in(group).metavar = "CMD";
  t.add("base_resume_from", &O::base_resume_from, "resume base training from this checkpoint instead of the newest of the run").in(group);
  t.add("sft_resume_from", &O::sft_resume_from, "resume SFT from this checkpoint; needs --base-resume-from").in(group);
}

void add_data(Table& t) {
  const char* group = "Data";
  t.add("dataset_pack", &O::dataset_pack, "dataset_pack.json: corpus, chat and eval files in one").alias("--pack").in(group);
  t.add("corpus_input", &O::corpus_input, "text file or folder to train on").in(group);
  t.add("corpus_recipe", &O::corpus_recipe, "corpus_recipe.json: several sources").in(group);
  t.add("chat_input", &O::chat_input, "SFT rows, JSONL").in(group);
  t.add("eval_input", &O::eval_input, "eval rows, JSONL").in(group);
  t.add("min_score", &O::min_score, "leave out documents of a lower quality score").at_least(0).at_most(100).in(group);
  t.add("canary_count", &O::canary_count, "canary phrases put into the training text only, to probe memorization").at_least(0).in(group);
  t.add("split_mode", &O::split_mode, "hold out whole documents, or windows").choose({"document", "window"}).in(group);
  t.add("base_dataset_mode", &O::base_dataset_mode, "all stream windows of memory-mapped tokens; packed also keeps attention inside each document")
      .choose({"memory", "sharded", "packed"}).in(group);
  t.add("base_shard_token_size", &O::base_shard_token_size, "tokens per shard file").at_least(1024).in(group);
  t.add("base_shard_cache_size", &O::base_shard_cache_size, "recorded only: shards are memory-mapped").at_least(1).in(group);
  t.add("val_tokens", &O::val_tokens, "held-out tokens, all scored at every validation").at_least(1).in(group);
  t.add("external_eval", &O::external_eval, "choice benchmark to score after the run (repeatable)").in(group).metavar = "[NAME=]PATH";
  t.add("external_eval_format", &O::external_eval_format, "layout of the benchmark files")
      .choose({"auto", "arc", "mmlu", "mmlu_csv"}).in(group);
  t.add("external_eval_max_rows", &O::external_eval_max_rows, "score at most so many rows; 0: all").at_least(0).in(group);
  t.add("external_eval_shuffle", &O::external_eval_shuffle, "choose those rows at random").in(group);
  t.add("external_eval_max_new_tokens", &O::external_eval_max_new_tokens, "tokens to generate per benchmark row").at_least(1).in(group);
}

void add_tokenizer(Table& t) {
  const char* group = "Tokenizer";
  t.add("tokenizer_type", &O::tokenizer_type, "hf_bpe is an alias of bpe").choose({"char", "byte", "bpe", "hf_bpe", "sentencepiece"}).in(group);
  t.add("tokenizer_vocab_size", &O::tokenizer_vocab_size, "ids in all, special tokens included").at_least(16).at_most(1 << 24).in(group);
  t.add("tokenizer_min_freq", &O::tokenizer_min_freq, "merge only pairs seen this often").at_least(1).in(group);
  t.add("tokenizer_sample_bytes", &O::tokenizer_sample_bytes, "learn the tokenizer from documents of at most this many bytes, chosen by hash (0: all; sentencepiece: 50 MB)")
      .at_least(0).in(group);
  t.add("bpe_pretokenizer", &O::bpe_pretokenizer, "how text is cut before merging").choose({"char", "regex"}).in(group);
  t.add("sentencepiece_model", &O::sentencepiece_model, "which of its models sentencepiece trains").choose({"bpe", "unigram"}).in(group);
}

void add_model(Table& t) {
  const char* group = "Model";
  t.add("context_size", &O::context_size, "tokens that the model sees at once").at_least(8).in(group);
  t.add("n_embd", &O::n_embd, "width").at_least(1).in(group);
  t.add("n_head", &O::n_head, "query heads").at_least(1).in(group);
  t.add("n_kv_head", &O::n_kv_head, "key/value heads (grouped-query attention); unset: n_head").at_least(1).in(group);
  t.add("n_layer", &O::n_layer, "blocks").at_least(1).in(group);
  t.add("dropout", &O::dropout, "of attention and of both residual branches").at_least(0).at_most(0.9).in(group);
  t.add("norm_type", &O::norm_type, "normalisation").choose({"layernorm", "rmsnorm"}).in(group);
  t.add("position_encoding", &O::position_encoding, "positions").choose({"learned", "rope"}).in(group);
  t.add("activation", &O::activation, "of the MLP").choose({"gelu", "relu2", "swiglu"})
      .refuse("leaky_relu2", "use --activation relu2 or swiglu").in(group);
  t.add("tie_embeddings", &O::tie_embeddings, "one matrix for embedding and head").in(group);
  t.add("qk_norm", &O::qk_norm, "normalise queries and keys per head").in(group);
  t.add("linear_bias", &O::linear_bias, "biases in linear layers").in(group);
  t.add("parallel_residual", &O::parallel_residual, "attention and MLP side by side under one norm").in(group);
  t.add("scaled_residual_init", &O::scaled_residual_init, "start output projections at 1/sqrt(2 n_layer) of the usual size").in(group);
  t.add("logit_softcap", &O::logit_softcap, "cap logits at +-c by tanh; 0: off").at_least(0).in(group);
  t.add("rope_base", &O::rope_base, "base of the rotary frequencies").more_than(1).in(group);
  t.add("initializer_range", &O::initializer_range, "standard deviation of initial weights").more_than(0).in(group);
  t.add("xsa_last_n", &O::xsa_last_n, "exclusive self-attention of the reference")
      .refuse("*", "exclusive self-attention is not part of this model; leave the flag out").hide().in(group);
}

// The fields that base training and SFT share, under their two prefixes.
struct Stage {
  const char* prefix;
  const char* group;
  int64_t O::*steps;
  int64_t O::*batch_size;
  int64_t O::*grad_accum_steps;
  double O::*learning_rate;
  int64_t O::*lr_warmup_steps;
  std::string O::*lr_decay;
  double O::*min_lr_ratio;
  double O::*grad_clip;
  int64_t O::*early_stop_patience;
  std::optional<double> O::*max_minutes;
  std::string O::*optimizer;
  double O::*weight_decay;
  std::string O::*weight_decay_decay;
  double O::*beta1;
  double O::*beta2;
  double O::*muon_learning_rate;
  std::string O::*muon_momentum_schedule;
  double O::*ema_decay;
};

void add_stage(Table& t, const Stage& s) {
  const char* group = s.group;
  auto name = [&](const char* field) { return std::string(s.prefix) + "_" + field; };
  t.add(name("steps"), s.steps, "optimizer steps").at_least(1).in(group);
  auto& batch = t.add(name("batch_size"), s.batch_size, "sequences per micro-batch and rank").at_least(1).in(group);
  if (std::string(s.prefix) == "base") {
    batch.choose({"auto"});
    batch.help += "; auto: the largest that the device's memory takes";
  }
  t.add(name("grad_accum_steps"), s.grad_accum_steps, "micro-batches per step").at_least(1).in(group);
  t.add(name("learning_rate"), s.learning_rate, "peak learning rate").more_than(0).in(group);
  t.add(name("lr_warmup_steps"), s.lr_warmup_steps, "linear warm-up").at_least(0).in(group);
  t.add(name("lr_decay"), s.lr_decay, "decay after the warm-up").choose(kDecays).in(group);
  t.add(name("min_lr_ratio"), s.min_lr_ratio, "final share of the peak").at_least(0).at_most(1).in(group);
  t.add(name("grad_clip"), s.grad_clip, "global L2 norm of gradients; 0: off").at_least(0).in(group);
  t.add(name("early_stop_patience"), s.early_stop_patience, "validations without improvement before stopping; 0: off").at_least(0).in(group);
  t.add(name("max_minutes"), s.max_minutes, "stop after so many minutes").more_than(0).in(group);
  t.add(name("optimizer"), s.optimizer, "muon: for matrices inside blocks, AdamW for the rest").choose(kOptimizers).in(group);
  t.add(name("weight_decay"), s.weight_decay, "decoupled, on matrices only").at_least(0).in(group);
  t.add(name("weight_decay_decay"), s.weight_decay_decay, "schedule of the weight decay").choose(kWeightDecayDecays).in(group);
  t.add(name("beta1"), s.beta1, "AdamW").at_least(0).at_most(0.99999).in(group);
  t.add(name("beta2"), s.beta2, "AdamW").at_least(0).at_most(0.999999).in(group);
  t.add(name("muon_learning_rate"), s.muon_learning_rate, "peak learning rate of Muon's matrices").more_than(0).in(group);
  t.add(name("muon_momentum_schedule"), s.muon_momentum_schedule, "peaked: 0.85 to 0.97 to 0.90").choose(kMomentumSchedules).in(group);
  t.add(name("ema_decay"), s.ema_decay, "average of weights used for validation and the best checkpoint; 0: off").at_least(0).at_most(0.99999).in(group);
}

void add_base(Table& t) {
  const char* group = "Base training";
  add_stage(t, {"base", group, &O::base_steps, &O::base_batch_size, &O::base_grad_accum_steps, &O::base_learning_rate,
                &O::base_lr_warmup_steps, &O::base_lr_decay, &O::base_min_lr_ratio, &O::base_grad_clip,
                &O::base_early_stop_patience, &O::base_max_minutes, &O::base_optimizer, &O::base_weight_decay,
                &O::base_weight_decay_decay, &O::base_beta1, &O::base_beta2, &O::base_muon_learning_rate,
                &O::base_muon_momentum_schedule, &O::base_ema_decay});
  t.add("base_sequences_per_step", &O::base_sequences_per_step, "fixes batch x accumulation x ranks; accumulation follows").at_least(1).in(group);
  t.add("early_stop_min_delta", &O::early_stop_min_delta, "improvement that counts, base and SFT").at_least(0).in(group);
  t.add("target_param_data_ratio", &O::target_param_data_ratio, "training tokens per parameter that the plan aims at").more_than(0).in(group);
  t.add("auto_lr_scaling", &O::auto_lr_scaling, "multiply learning rates by sqrt(effective batch / 8)").in(group);
  t.add("loss_spike_rollback", &O::loss_spike_rollback, "go back to a snapshot when the loss jumps").in(group);
  t.add("loss_spike_threshold", &O::loss_spike_threshold, "a loss so many times its running mean is a spike").more_than(1).in(group);
  t.add("loss_spike_lr_decay", &O::loss_spike_lr_decay, "learning-rate factor at each rollback").more_than(0).at_most(1).in(group);
  t.add("loss_spike_min_lr_scale", &O::loss_spike_min_lr_scale, "smallest such factor in all").more_than(0).at_most(1).in(group);
  t.add("loss_spike_snapshot_every", &O::loss_spike_snapshot_every, "steps between snapshots").at_least(1).in(group);
}

void add_sft(Table& t) {
  const char* group = "SFT";
  add_stage(t, {"sft", group, &O::sft_steps, &O::sft_batch_size, &O::sft_grad_accum_steps, &O::sft_learning_rate,
                &O::sft_lr_warmup_steps, &O::sft_lr_decay, &O::sft_min_lr_ratio, &O::sft_grad_clip,
                &O::sft_early_stop_patience, &O::sft_max_minutes, &O::sft_optimizer, &O::sft_weight_decay,
                &O::sft_weight_decay_decay, &O::sft_beta1, &O::sft_beta2, &O::sft_muon_learning_rate,
                &O::sft_muon_momentum_schedule, &O::sft_ema_decay});
  t.add("sft_sampling", &O::sft_sampling, "weight of a row by the size of its category").choose({"uniform", "category_sqrt", "category_balanced"}).in(group);
  t.add("sft_packing", &O::sft_packing, "one conversation per row, or best-fit packed rows").choose({"separate", "bos_bestfit"}).in(group);
  t.add("sft_fit_max_rows", &O::sft_fit_max_rows, "rows scored in each fit diagnostic; 0: all").at_least(0).in(group);
  t.add("sft_peft", &O::sft_peft, "train adapters instead of all weights").choose({"none", "lora"}).in(group);
  t.add("sft_lora_rank", &O::sft_lora_rank, "LoRA rank").at_least(1).in(group);
  t.add("sft_lora_alpha", &O::sft_lora_alpha, "LoRA scale is alpha / rank").more_than(0).in(group);
  t.add("sft_lora_dropout", &O::sft_lora_dropout, "on the adapters' input").at_least(0).at_most(0.9).in(group);
  t.add("sft_lora_targets", &O::sft_lora_targets, "comma list of attn_qkv, attn_proj, mlp_fc, mlp_proj, all_linear").in(group);
}

void add_dpo(Table& t) {
  const char* group = "DPO";
  t.add("dpo_input", &O::dpo_input, "preference rows, JSONL; needs --dpo-steps").in(group);
  t.add("dpo_steps", &O::dpo_steps, "optimizer steps; 0: no DPO").at_least(0).in(group);
  t.add("dpo_batch_size", &O::dpo_batch_size, "pairs per micro-batch").at_least(1).in(group);
  t.add("dpo_learning_rate", &O::dpo_learning_rate, "peak learning rate").more_than(0).in(group);
  t.add("dpo_beta", &O::dpo_beta, "strength of the preference").more_than(0).in(group);
  t.add("dpo_grad_accum_steps", &O::dpo_grad_accum_steps, "micro-batches per step").at_least(1).in(group);
  t.add("dpo_lr_warmup_steps", &O::dpo_lr_warmup_steps, "linear warm-up").at_least(0).in(group);
  t.add("dpo_lr_decay", &O::dpo_lr_decay, "decay after the warm-up").choose(kDecays).in(group);
  t.add("dpo_min_lr_ratio", &O::dpo_min_lr_ratio, "final share of the peak").at_least(0).at_most(1).in(group);
  t.add("dpo_grad_clip", &O::dpo_grad_clip, "global L2 norm of gradients; 0: off").at_least(0).in(group);
  t.add("dpo_early_stop_patience", &O::dpo_early_stop_patience, "validations without improvement; 0: off").at_least(0).in(group);
  t.add("dpo_early_stop_min_delta", &O::dpo_early_stop_min_delta, "improvement that counts").at_least(0).in(group);
  t.add("dpo_eval_batches", &O::dpo_eval_batches, "accepted and recorded; every held-out pair is scored").at_least(1).in(group);
  t.add("dpo_max_minutes", &O::dpo_max_minutes, "stop after so many minutes").more_than(0).in(group);
  t.add("dpo_length_normalize", &O::dpo_length_normalize, "mean instead of summed log-probabilities").in(group);
}

void add_device(Table& t) {
  const char* group = "Device";
  t.add("device", &O::device, "auto: cuda where there is a GPU").choose({"auto", "cpu", "cuda"})
      .refuse("mps", "Apple GPUs are not supported; use --device cpu").in(group);
  t.add("threads", &O::threads, "compute threads; 0: one per core").at_least(0).in(group);
  t.add("precision", &O::precision, "of the model's arithmetic").choose({"float32", "bf16", "fp16", "auto"}).in(group);
  t.add("matmul_precision", &O::matmul_precision, "of float32 matrix products on CUDA").choose({"default", "highest", "high", "medium"}).in(group);
  t.add("attn_backend", &O::attn_backend, "attention kernels; auto: the fastest that this device runs")
      .choose({"auto", "flash", "efficient", "math", "cudnn", "external_flash", "fa3"}).in(group);
  t.add("torch_compile", &O::torch_compile, "fused kernels and a captured CUDA graph (no effect on the CPU)").alias("--compile").in(group);
  t.add("torch_compile_mode", &O::torch_compile_mode, "accepted and recorded; there is one mode")
      .choose({"default", "reduce-overhead", "max-autotune"}).in(group);
  t.add("gradient_checkpointing", &O::gradient_checkpointing, "recompute blocks in the backward pass to save memory").in(group);
  t.add("deterministic", &O::deterministic, "bit-exact from run to run on CUDA too; the CPU always is").in(group);
  t.add("ddp", &O::ddp, "data parallel; implied under torchrun and picochat launch").in(group);
  t.add("ddp_world_size", &O::ddp_world_size, "ranks to plan for; WORLD_SIZE decides when training").at_least(1).in(group);
  t.add("ddp_setup_minutes", &O::ddp_setup_minutes, "how long ranks wait for rank 0's set-up (corpus, tokenizer, shards)").more_than(0).in(group);
  t.add("distributed_strategy", &O::distributed_strategy, "what ranks hold: ddp all, zero1 a part of the optimizer's state, fsdp a part of everything (experimental)").choose({"ddp", "zero1", "fsdp"}).in(group);
  t.add("gpu_hourly_usd", &O::gpu_hourly_usd, "price of one GPU hour, for the cost estimate").at_least(0).in(group);
}

void add_gates(Table& t) {
  const char* group = "Evaluation and gates";
  t.add("eval_max_new_tokens", &O::eval_max_new_tokens, "longest reply").at_least(1).in(group);
  t.add("long_run_gate_profile", &O::long_run_gate_profile, "research reports; the release profiles block")
      .choose({"research", "first_release", "skill_release"}).in(group);
  t.add("sanity_report", &O::sanity_report, "preh100_sanity.json of this host; else looked for beside the run").in(group);
  t.add("allow_leaky_eval", &O::allow_leaky_eval, "train although the eval leaks; the verdict stays blocked").in(group);
  t.add("allow_default_tuning_data", &O::allow_default_tuning_data, "permit the demo chat and eval files with another corpus").in(group);
  t.add("allow_unsafe_long_run", &O::allow_unsafe_long_run, "train although preflight is blocked; the verdict stays blocked").in(group);
}

}  // namespace

const base::OptionTable<RunOptions>& run_options() {
  static const Table table = [] {
    Table t;
    add_run(t);
    add_data(t);
    add_tokenizer(t);
    add_model(t);
    add_base(t);
    add_sft(t);
    add_dpo(t);
    add_device(t);
    add_gates(t);
    return t;
  }();
  return table;
}

bool preset_may_set(const std::string& field) {
  // Paths, the machine, the seed and permissions are the user's, never a preset's.
  static const std::set<std::string> users{
      "out_dir", "scale", "presets_dir", "fresh", "seed", "n_seeds", "preflight_only", "json", "tensorboard_log_dir",
      "base_resume_from", "sft_resume_from", "mirror", "on_exit", "dataset_pack", "corpus_input", "corpus_recipe", "chat_input", "eval_input",
      "external_eval", "dpo_input", "device", "threads", "gpu_hourly_usd", "sanity_report", "allow_leaky_eval",
      "allow_default_tuning_data", "allow_unsafe_long_run", "xsa_last_n"};
  return run_options().find(field) && !users.count(field);
}

}  // namespace picochat::gate
