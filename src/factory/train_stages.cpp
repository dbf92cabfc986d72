// Base training, SFT and DPO as stages of a run: their keys, and what they leave.
#include "picochat/base/error.hpp"
#include "run_context.hpp"
#include "stage_training.hpp"

namespace picochat::factory {
namespace {

StageTraining stage_training(const RunContext& run, const std::string& stage, double learning_rate, const StageKey& key) {
  StageTraining s{.files = run.files, .options = run.options(), .dir = run.dir, .folder = run.at(stage), .tokenizer_path = run.at("tokenizer.json"), .compute = run.compute};
  s.tokenizer = run.tokenizer;
  s.group = run.group;
  s.learning_rate = learning_rate;
  s.fingerprint = key.digest().hex();
  return s;
}

}  // namespace

void base_stage(RunContext& run) {
  StageKey key{.stage = "base", .inputs = {{"token_shards", digest_of(run.at("base/token_shards")).hex()}, {"tokenizer", run.tokenizer_digest().hex()}},
               .options = training_key(run.options(), "base_", training_fields("base_", kModelFields))};
  key.options.update(run.picked({"val_tokens", "base_dataset_mode", "split_mode"}));
  name_compute(key.options, run.compute);
  refuse_changed_training(run.cache, run.files, key, run.at("base"), "--fresh base");
  // What later stages read: a bundle leaves last_checkpoint out, and a run restored from it must not train again.
  run_stage(run, key, {"base/checkpoint", "base/train_report.json"}, [&] {
    train_base(stage_training(run, "base", run.preflight.budget.base_effective_learning_rate, key), run.corpus, std::filesystem::absolute(run.at("base/token_shards")));
  });
  drop_working_checkpoints(run.files, run.at("base"));
  run.base_report = base::read_json(run.at("base/train_report.json"));
}

void sft_stage(RunContext& run) {
  StageKey key{.stage = "sft", .inputs = {{"base_checkpoint", digest_of(run.at("base/checkpoint")).hex()}, {"tokenizer", run.tokenizer_digest().hex()},
                                                {"chat", base::sha256_file(run.chat_input).hex()}},
                     .options = training_key(run.options(), "sft_", sft_fields(run.options()))};
  name_compute(key.options, run.compute);
  refuse_changed_training(run.cache, run.files, key, run.at("sft"), "--fresh sft");
  run_stage(run, key, {"sft/checkpoint", "sft/sft_report.json"}, [&] {
    auto s = stage_training(run, "sft", run.preflight.budget.sft_effective_learning_rate, key);
    s.sample_tokens = run.options().eval_max_new_tokens;
    const Path start = run.at("base/checkpoint");
    train_sft(s, train::load_checkpoint(start), start, run.chat_input);
  });
  drop_working_checkpoints(run.files, run.at("sft"));
  run.sft_report = base::read_json(run.at("sft/sft_report.json"));
}

// Preference training from the checkpoint of SFT, which is the reference. A run without it must not hold one of an earlier command.
void dpo_stage(RunContext& run) {
  const auto& options = run.options();
  if (!options.dpo_input) {
    if (run.cache.state("dpo") == StageCache::State::kAbsent) return;
    throw base::usage_error({.what = "the run already has DPO training, and this command has none", .where = run.at("dpo").string(),
                             .remedy = "give --dpo-input and --dpo-steps as before, choose another --out-dir, or add --fresh dpo to discard that training and what follows from it"});
  }
  StageKey key{.stage = "dpo", .inputs = {{"sft_checkpoint", digest_of(run.at("sft/checkpoint")).hex()}, {"tokenizer", run.tokenizer_digest().hex()},
                                          {"preferences", base::sha256_file(*options.dpo_input).hex()}},
               .options = training_key(options, "dpo_", dpo_fields(options, false))};
  name_compute(key.options, run.compute);
  refuse_changed_training(run.cache, run.files, key, run.at("dpo"), "--fresh dpo");
  run_stage(run, key, {"dpo/checkpoint", "dpo/dpo_report.json"}, [&] {
    auto s = stage_training(run, "dpo", options.dpo_learning_rate, key);
    s.sample_tokens = options.eval_max_new_tokens;
    s.adapters = false;  // --sft-peft is of SFT
    const Path start = run.at("sft/checkpoint");
    train_dpo(s, train::load_checkpoint(start), start, start, *options.dpo_input);
  });
  drop_working_checkpoints(run.files, run.at("dpo"));
  run.dpo_report = base::read_json(run.at("dpo/dpo_report.json"));
}

}  // namespace picochat::factory
