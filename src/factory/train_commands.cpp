#include "picochat/factory/train_commands.hpp"

#include "availability.hpp"
#include "mirror.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/language_model.hpp"
#include "picochat/gate/budget.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/tasks/preferences.hpp"
#include "run_context.hpp"
#include "stage_training.hpp"
#include "training_data.hpp"

namespace picochat::factory {
namespace {

using base::cat;

Group begin(TrainCommandOptions& options, Compute& compute, const std::string& command) {
  refuse_unbuilt(options, command);
  compute = resolve_compute(options);
  if (compute.device == "cpu") explain_cpu_options(options, true, command);
  Group group = join_ranks(options, compute, command);
  model::set_compute_threads(static_cast<int>(options.threads));
  return group;
}

// `work` on rank 0; the other ranks train along.
base::CommandOutput on_ranks(base::FileSystem& files, const TrainCommandOptions& options, const Compute& compute, const Group& group, const std::function<base::CommandOutput()>& work) {
  base::CommandOutput output;
  if (!leads(group)) {
    follow(files, options, compute, group);
    return output;
  }
  lead(group, [&] {
    output = work();
    return base::ExitCode::kDone;
  });
  return output;
}

void claim(base::FileSystem& files, const Path& dir, const std::string& stage, bool discard, const std::optional<std::string>& mirror) {
  claim_command_folder(files, dir);
  if (mirror) check_mirror(files, *mirror, dir);
  if (!discard) return;
  StageCache(files, dir).forget(stage);
  for (const char* name : {"checkpoint", "last_checkpoint", "ema_checkpoint", "best", "resume_checkpoint"}) train::clear_stage(files, dir / name);
}

base::CommandOutput outcome(const Json& report, const Path& dir, const std::string& report_name) {
  base::CommandOutput output;
  output.json = report;
  output.text = cat("checkpoint: ", (dir / "checkpoint").string(), "\nreport: ", (dir / report_name).string(), "\n");
  return output;
}

StageTraining training(base::FileSystem& files, const TrainCommandOptions& options, const Compute& compute, const Group& group, std::shared_ptr<tokenizer::Tokenizer> tokenizer, double learning_rate, const StageKey& key) {
  StageTraining s{.files = files, .options = options, .dir = options.out_dir, .folder = options.out_dir, .tokenizer_path = options.tokenizer};
  s.compute = compute;
  s.tokenizer = std::move(tokenizer);
  s.learning_rate = learning_rate;
  s.fingerprint = key.digest().hex();
  s.eval_every = options.log_every;
  s.val_fraction = options.val_fraction;
  s.sample_tokens = options.sample_tokens;
  s.group = group;
  return s;
}

// The report of this very training when it is there; else `train` makes it.
Json once(base::FileSystem& files, StageCache& cache, const Path& dir, const StageKey& key, const std::string& report, const std::function<Json()>& train) {
  refuse_changed_training(cache, files, key, dir, "--fresh");
  if (cache.is_current(key)) {
    base::say(cat(key.stage, ": finished earlier and unchanged, reused"));
    return base::read_json(dir / report);
  }
  cache.record_started(key);
  const Json result = train();
  cache.record_done(key, {"checkpoint", "last_checkpoint", report});
  drop_working_checkpoints(files, dir);
  return result;
}

}  // namespace

namespace {

base::CommandOutput train_base_alone(base::FileSystem& files, const TrainBaseOptions& given, const Compute& compute, const Group& group) {
  const auto corpus = open_corpus(given.corpus);
  const std::shared_ptr<tokenizer::Tokenizer> tokenizer = tokenizer::load_tokenizer(given.tokenizer);
  gate::model_config(given, static_cast<int64_t>(tokenizer->vocab_size()));  // a wrong shape is said before the corpus is read
  const Path dir = given.out_dir;
  claim(files, dir, "base", given.discard, given.mirror);
  const base::DirectoryLock lock(dir);
  StageCache cache(files, dir);
  const auto shards = command_shards(files, cache, dir, corpus, *tokenizer, given.tokenizer, given.base_shard_token_size, static_cast<int>(given.threads), "base");
  TrainBaseOptions options = given;
  options.val_tokens = given.held_out_tokens.value_or(held_out_tokens(*shards, given.val_fraction, given.context_size));
  StageKey key{.stage = "base", .inputs = {{"token_shards", digest_of(dir / "token_shards").hex()}, {"tokenizer", base::sha256_file(given.tokenizer).hex()}},
               .options = training_key(options, "base_", training_fields("base_", kModelFields))};
  key.options.update(picked(options, {"val_tokens", "base_dataset_mode", "split_mode"}));
  key.options["log_every"] = given.log_every;
  name_compute(key.options, compute);
  return outcome(once(files, cache, dir, key, "train_report.json", [&] {
    return train_base(training(files, options, compute, group, tokenizer, options.base_learning_rate, key), corpus, std::filesystem::absolute(dir / "token_shards"));
  }), dir, "train_report.json");
}

base::CommandOutput train_sft_alone(base::FileSystem& files, const TrainSftOptions& options, const Compute& compute, const Group& group) {
  const std::shared_ptr<tokenizer::Tokenizer> tokenizer = tokenizer::load_tokenizer(options.tokenizer);
  const auto start = train::load_checkpoint(options.checkpoint);
  eval::require_tokenizer_of_checkpoint(*tokenizer, options.tokenizer, start.config, start.metadata, options.checkpoint);
  const Path dir = options.out_dir;
  claim(files, dir, "sft", options.discard, options.mirror);
  const base::DirectoryLock lock(dir);
  StageCache cache(files, dir);
  StageKey key{.stage = "sft", .inputs = {{"base_checkpoint", start.digest.hex()}, {"tokenizer", base::sha256_file(options.tokenizer).hex()},
                                          {"chat", base::sha256_file(options.input).hex()}},
               .options = training_key(options, "sft_", sft_fields(options))};
  key.options["val_fraction"] = options.val_fraction;
  key.options["log_every"] = options.log_every;
  name_compute(key.options, compute);
  return outcome(once(files, cache, dir, key, "sft_report.json", [&] {
    auto s = training(files, options, compute, group, tokenizer, options.sft_learning_rate, key);
    s.sample_prompt = options.sample_prompt;
    return train_sft(s, start, options.checkpoint, options.input);
  }), dir, "sft_report.json");
}

base::CommandOutput train_dpo_alone(base::FileSystem& files, const TrainDpoOptions& options, const Compute& compute, const Group& group) {
  const std::shared_ptr<tokenizer::Tokenizer> tokenizer = tokenizer::load_tokenizer(options.tokenizer);
  const auto start = train::load_checkpoint(options.checkpoint);
  eval::require_tokenizer_of_checkpoint(*tokenizer, options.tokenizer, start.config, start.metadata, options.checkpoint);
  const std::string reference = options.reference_checkpoint.value_or(options.checkpoint);
  const auto preferences = base::sha256_file(options.input);
  tasks::read_preference_rows(options.input);  // a bad row is said before anything is written
  const Path dir = options.out_dir;
  claim(files, dir, "dpo", options.discard, options.mirror);
  const base::DirectoryLock lock(dir);
  StageCache cache(files, dir);
  StageKey key{.stage = "dpo", .inputs = {{"start_checkpoint", start.digest.hex()}, {"reference_checkpoint", digest_of(reference).hex()}, {"tokenizer", base::sha256_file(options.tokenizer).hex()},
                                          {"preferences", preferences.hex()}},
               .options = training_key(options, "dpo_", dpo_fields(options, true))};
  key.options["val_fraction"] = options.val_fraction;
  key.options["log_every"] = options.log_every;
  name_compute(key.options, compute);
  return outcome(once(files, cache, dir, key, "dpo_report.json", [&] {
    auto s = training(files, options, compute, group, tokenizer, options.dpo_learning_rate, key);
    s.sample_prompt = options.sample_prompt;
    return train_dpo(s, start, options.checkpoint, reference, options.input);
  }), dir, "dpo_report.json");
}

}  // namespace

base::CommandOutput train_base_command(base::FileSystem& files, const TrainBaseOptions& given) {
  TrainBaseOptions options = given;
  Compute compute;
  const Group group = begin(options, compute, "train base");
  return on_ranks(files, options, compute, group, [&] { return train_base_alone(files, options, compute, group); });
}

base::CommandOutput train_sft_command(base::FileSystem& files, const TrainSftOptions& given) {
  TrainSftOptions options = given;
  Compute compute;
  const Group group = begin(options, compute, "train sft");
  return on_ranks(files, options, compute, group, [&] { return train_sft_alone(files, options, compute, group); });
}

base::CommandOutput train_dpo_command(base::FileSystem& files, const TrainDpoOptions& given) {
  TrainDpoOptions options = given;
  Compute compute;
  const Group group = begin(options, compute, "train dpo");
  return on_ranks(files, options, compute, group, [&] { return train_dpo_alone(files, options, compute, group); });
}

}  // namespace picochat::factory
