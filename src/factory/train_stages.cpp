// Base training and SFT as stages of a run: their keys, and what they leave.
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
  run_stage(run, 5, key, {"base/checkpoint", "base/train_report.json"}, [&] {
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
  run_stage(run, 6, key, {"sft/checkpoint", "sft/sft_report.json"}, [&] {
    auto s = stage_training(run, "sft", run.preflight.budget.sft_effective_learning_rate, key);
    s.sample_tokens = run.options().eval_max_new_tokens;
    const Path start = run.at("base/checkpoint");
    train_sft(s, train::load_checkpoint(start), start, run.chat_input);
  });
  drop_working_checkpoints(run.files, run.at("sft"));
  run.sft_report = base::read_json(run.at("sft/sft_report.json"));
}

}  // namespace picochat::factory
