// The flags of the training commands: fields of a run under the names they have without a stage before them.
#include "picochat/factory/train_commands.hpp"
#include "stage_training.hpp"

namespace picochat::factory {
namespace {

template <typename S>
void add_stage(base::OptionTable<S>& t, const std::string& prefix) {
  const auto& run = gate::run_options();
  for (const auto& field : kStageFields) {
    auto& added = t.adopt(run, prefix + field, field == "steps" ? "max_steps" : field).in("Training");
    if (field == "steps") added.alias("--steps");
    if (field == "batch_size") added.choose({}).help = "sequences per micro-batch";  // "auto" is of `run tiny`, which keeps the sequences of a step
  }
  for (const auto& field : kLoopFields) t.adopt(run, field, field).in("Training");
}

template <typename S>
void add_common(base::OptionTable<S>& t) {
  const auto& run = gate::run_options();
  t.add("tokenizer", &S::tokenizer, "tokenizer.json, or a sentencepiece tokenizer.model").must();
  t.adopt(run, "out_dir", "out_dir").in("Options").help = "folder for checkpoints and reports; the same command resumes what is in it";
  t.add("fresh", &S::discard, "discard what an earlier command left in the folder");
  t.add("log_every", &S::log_every, "steps between validations; 0: 24 times in all").at_least(0);
  t.add("sample_tokens", &S::sample_tokens, "length of the sample in the report").at_least(1);
  t.add("eval_batches", &S::eval_batches, "batches per validation").refuse("*", "every held-out token is scored; choose how many with --val-tokens or --val-fraction").hide();
  t.add("resume_from", &S::resume_from, "checkpoint to go on from").refuse("*", "give the same command with the same --out-dir: it goes on by itself").hide();
  for (const char* field : {"seed", "json", "checkpoint_minutes", "checkpoint_every_steps", "mirror", "on_exit", "tensorboard_log_dir", "gpu_hourly_usd"}) t.adopt(run, field, field).in("Options");
  for (const char* field : {"device", "threads", "precision", "matmul_precision", "attn_backend", "torch_compile", "torch_compile_mode", "gradient_checkpointing",
                            "deterministic", "ddp", "ddp_setup_minutes", "distributed_strategy"})
    t.adopt(run, field, field);
}

template <typename S>
void add_text_and_model(base::OptionTable<S>& t) {
  const auto& run = gate::run_options();
  t.add("corpus", &S::corpus, "text file, file of rows (.jsonl, .parquet, .csv), folder of them, corpus_recipe.json or dataset_pack.json").must();
  t.add("corpus_manifest", &S::corpus_manifest, "manifest of the corpus").refuse("*", "the corpus is scanned and its manifest written to --out-dir").hide();
  t.add("val_fraction", &S::val_fraction, "part of the tokens that is held out").more_than(0).at_most(0.9).in("Data");
  t.add("val_tokens", &S::held_out_tokens, "held-out tokens, in place of a fraction").at_least(1).in("Data");
  t.adopt(run, "split_mode", "split_mode");
  t.adopt(run, "base_dataset_mode", "dataset_mode");
  t.adopt(run, "base_shard_token_size", "shard_token_size");
  t.adopt(run, "base_shard_cache_size", "shard_cache_size");
  t.adopt(run, "canary_count", "canary_count").refuse("*", "canaries are put into the text by `run tiny`").hide();
  for (const auto& field : kModelFields) t.adopt(run, field, field);
  t.adopt(run, "xsa_last_n", "xsa_last_n");
}

}  // namespace

TrainBaseOptions::TrainBaseOptions() {
  context_size = 64;
  n_embd = 128;
  base_batch_size = 16;
  base_steps = 200;
  base_early_stop_patience = 0;
  split_mode = "window";
  canary_count = 0;
}

TrainSftOptions::TrainSftOptions() {
  val_fraction = 0.2;
  sft_batch_size = 8;
  sft_steps = 100;
  sft_learning_rate = 1e-4;
  sft_early_stop_patience = 0;
}

TrainDpoOptions::TrainDpoOptions() {
  val_fraction = 0.2;
  dpo_steps = 100;
  dpo_early_stop_patience = 0;
}

SftSweepOptions::SftSweepOptions() {
  sft_lr_warmup_steps = 20;
  sft_lr_decay = "cosine";
  sft_min_lr_ratio = 0.1;
  sft_grad_clip = 1;
  sft_fit_max_rows = 500;
  eval_max_new_tokens = 120;
}

LrRangeOptions::LrRangeOptions() { base_steps = 100; }

const base::OptionTable<TrainBaseOptions>& train_base_options() {
  static const auto table = [] {
    base::OptionTable<TrainBaseOptions> t;
    add_text_and_model(t);
    add_common(t);
    add_stage(t, "base_");
    return t;
  }();
  return table;
}

const base::OptionTable<TrainSftOptions>& train_sft_options() {
  static const auto table = [] {
    const auto& run = gate::run_options();
    base::OptionTable<TrainSftOptions> t;
    t.add("input", &TrainSftOptions::input, "conversations, JSONL").must();
    t.add("checkpoint", &TrainSftOptions::checkpoint, "checkpoint folder to start from").must();
    t.add("val_fraction", &TrainSftOptions::val_fraction, "part of the conversations that is held out").more_than(0).at_most(0.9).in("Data");
    t.add("sample_prompt", &TrainSftOptions::sample_prompt, "question for the sample in the report");
    add_common(t);
    add_stage(t, "sft_");
    t.adopt(run, "sft_sampling", "sampling").in("Training");
    t.adopt(run, "sft_packing", "packing").alias("--sft-packing").in("Training");
    for (const char* field : {"peft", "lora_rank", "lora_alpha", "lora_dropout", "lora_targets"}) t.adopt(run, std::string("sft_") + field, field).in("Training");
    return t;
  }();
  return table;
}

const base::OptionTable<TrainDpoOptions>& train_dpo_options() {
  static const auto table = [] {
    const auto& run = gate::run_options();
    base::OptionTable<TrainDpoOptions> t;
    t.add("input", &TrainDpoOptions::input, "preference rows, JSONL: user, chosen, rejected").must();
    t.add("checkpoint", &TrainDpoOptions::checkpoint, "checkpoint folder to start from").must();
    t.add("reference_checkpoint", &TrainDpoOptions::reference_checkpoint, "the model that replies are compared with; default: --checkpoint");
    t.add("val_fraction", &TrainDpoOptions::val_fraction, "part of the pairs that is held out").more_than(0).at_most(0.9).in("Data");
    t.add("sample_prompt", &TrainDpoOptions::sample_prompt, "question for the sample in the report");
    add_common(t);
    for (const auto& field : kDpoFields) {
      const std::string name = field.substr(std::string("dpo_").size());
      auto& added = t.adopt(run, field, name == "steps" ? "max_steps" : name).in("Training");
      if (name == "steps") added.alias("--steps").at_least(1).help = "optimizer steps";
    }
    for (const auto& field : kLoopFields)
      if (field != "early_stop_min_delta") t.adopt(run, field, field).in("Training");
    for (const char* field : {"peft", "lora_rank", "lora_alpha", "lora_dropout", "lora_targets"}) t.adopt(run, std::string("sft_") + field, field).in("Training");
    return t;
  }();
  return table;
}

const base::OptionTable<SftSweepOptions>& sft_sweep_options() {
  static const auto table = [] {
    using O = SftSweepOptions;
    const auto& run = gate::run_options();
    base::OptionTable<O> t;
    t.add("input", &O::input, "conversations, JSONL").must();
    t.add("checkpoint", &O::checkpoint, "checkpoint folder that every candidate starts from").must();
    t.add("learning_rates", &O::learning_rates, "peaks to try, with commas between").in("Grid");
    t.add("steps", &O::step_counts, "optimizer steps to try, with commas between").in("Grid");
    t.add("samplings", &O::samplings, "samplings to try, with commas between").in("Grid");
    t.add("eval_input", &O::eval_input, "held-out eval rows that every candidate answers, JSONL");
    t.add("val_fraction", &O::val_fraction, "part of the conversations that is held out").more_than(0).at_most(0.9).in("Data");
    add_common(t);
    for (const auto& field : kStageFields)
      if (field != "steps" && field != "learning_rate") t.adopt(run, "sft_" + field, field).in("Training");
    for (const auto& field : kLoopFields) t.adopt(run, field, field).in("Training");
    t.adopt(run, "sft_packing", "packing").alias("--sft-packing").in("Training");
    for (const char* field : {"peft", "lora_rank", "lora_alpha", "lora_dropout", "lora_targets"}) t.adopt(run, std::string("sft_") + field, field).in("Training");
    t.adopt(run, "sft_fit_max_rows", "fit_max_rows").in("Evaluation");
    t.adopt(run, "eval_max_new_tokens", "eval_max_new_tokens").in("Evaluation");
    return t;
  }();
  return table;
}

const base::OptionTable<LrRangeOptions>& lr_range_options() {
  static const auto table = [] {
    const auto& run = gate::run_options();
    base::OptionTable<LrRangeOptions> t;
    add_text_and_model(t);
    add_common(t);
    t.adopt(run, "base_steps", "steps").in("Training");
    t.add("min_lr", &LrRangeOptions::min_lr, "learning rate of the first step").more_than(0).in("Training");
    t.add("max_lr", &LrRangeOptions::max_lr, "learning rate of the last step").more_than(0).in("Training");
    t.add("divergence_factor", &LrRangeOptions::divergence_factor, "stop once the smoothed loss is so many times its best").more_than(1).in("Training");
    t.add("smoothing_beta", &LrRangeOptions::smoothing_beta, "of the running mean of the loss").at_least(0).at_most(0.9999).in("Training");
    for (const char* field : {"batch_size", "grad_accum_steps", "grad_clip", "optimizer", "weight_decay", "beta1", "beta2", "muon_learning_rate"})
      t.adopt(run, std::string("base_") + field, field).in("Training");
    return t;
  }();
  return table;
}

const base::OptionTable<BatchInspectOptions>& batch_inspect_options() {
  static const auto table = [] {
    using O = BatchInspectOptions;
    base::OptionTable<O> t;
    t.add("corpus", &O::corpus, "text for base training");
    t.add("input", &O::input, "conversations for SFT, JSONL; in place of --corpus");
    t.add("tokenizer", &O::tokenizer, "tokenizer.json, or a sentencepiece tokenizer.model").must();
    t.add("context_size", &O::context_size, "tokens that the model sees at once").at_least(8);
    t.add("batch_size", &O::batch_size, "sequences per micro-batch").at_least(1);
    t.add("grad_accum_steps", &O::grad_accum_steps, "micro-batches per step").at_least(1);
    t.add("step", &O::step, "optimizer step whose first micro-batch is shown").at_least(1);
    t.add("examples", &O::examples, "rows of it to print").at_least(0);
    t.add("seed", &O::seed, "of the data order").at_least(0);
    t.add("val_fraction", &O::val_fraction, "part that is held out").more_than(0).at_most(0.9);
    t.add("split_mode", &O::split_mode, "hold out whole documents, or windows").choose({"document", "window"});
    t.add("dataset_mode", &O::dataset_mode, "packed keeps attention inside each document").choose({"memory", "sharded", "packed"});
    t.add("sampling", &O::sampling, "of conversations").choose({"uniform", "category_sqrt", "category_balanced"});
    t.add("packing", &O::packing, "of conversations").choose({"separate", "bos_bestfit"});
    t.add("json", &O::json, "print the result as JSON");
    return t;
  }();
  return table;
}

}  // namespace picochat::factory
