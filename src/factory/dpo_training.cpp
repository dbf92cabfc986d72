// DPO as a stage: pairs of replies, the reference's log-probabilities measured once and kept, the loop that all stages share.
#include "stage_parts.hpp"

#include <algorithm>

#include "observer.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/train/preference_source.hpp"
#include "run_context.hpp"

namespace picochat::factory {
namespace {

using base::cat;

constexpr const char* kReferenceFile = "reference_log_probs.json";

StageOptions dpo_options(const gate::RunOptions& o) {
  return {.steps = o.dpo_steps, .batch = o.dpo_batch_size, .accum = o.dpo_grad_accum_steps, .warmup = o.dpo_lr_warmup_steps, .patience = o.dpo_early_stop_patience,
          .rate = o.dpo_learning_rate, .min_ratio = o.dpo_min_lr_ratio, .clip = o.dpo_grad_clip, .weight_decay = 0, .beta1 = 0.9, .beta2 = 0.95,
          .muon_rate = o.dpo_learning_rate, .ema = 0, .max_minutes = o.dpo_max_minutes, .decay = o.dpo_lr_decay, .optimizer = "adamw",
          .weight_decay_decay = "none", .muon_momentum = "none"};
}

train::DpoOptions source_options(const StageTraining& s, const StageOptions& o, const model::Config& config) {
  return {.beta = s.options.dpo_beta, .length_normalize = s.options.dpo_length_normalize, .context_size = config.context_size, .batch_size = o.batch,
          .grad_accum_steps = o.accum * ranks(s.group), .seed = static_cast<uint64_t>(s.options.seed)};
}

train::TrainerOptions dpo_trainer(const StageTraining& s, const StageOptions& o, const train::LoadedCheckpoint& start) {
  auto t = trainer_options(s, "dpo", o, start.config);
  t.early_stop_min_delta = s.options.dpo_early_stop_min_delta;
  if (s.adapters) add_lora(s, start, t);
  return t;
}

// What the reference's log-probabilities depend on: the stage's inputs, and how they are computed.
Json reference_key(const StageTraining& s, const train::LoadedCheckpoint& reference, const Path& preferences, const train::DpoOptions& options) {
  return {{"reference_checkpoint_sha256", reference.digest.hex()}, {"preferences_sha256", base::sha256_file(preferences).hex()},
          {"tokenizer_sha256", base::sha256_file(s.tokenizer_path).hex()}, {"length_normalize", options.length_normalize}, {"context_size", options.context_size},
          {"val_fraction", s.val_fraction}, {"seed", s.options.seed}, {"device", s.compute.device}, {"precision", s.compute.precision}};
}

// Those that an earlier start of the stage left, when they are of the same key.
bool recall_reference(const Path& path, const Json& key, train::PreferenceData& data) {
  if (!std::filesystem::exists(path)) return false;
  const Json kept = base::read_json(path);
  if (!kept.is_object() || kept.value("made_from", Json(nullptr)) != key) return false;
  data.train.reference = kept.at("train").get<std::vector<double>>();
  data.validation.reference = kept.at("validation").get<std::vector<double>>();
  return data.train.reference.size() == data.train.replies.size() && data.validation.reference.size() == data.validation.replies.size();
}

void measure_reference(const StageTraining& s, const train::LoadedCheckpoint& reference, const train::DpoOptions& options, train::PreferenceData& data) {
  const at::Tensor parameters = reference.parameters.to(s.compute.options.device);
  for (auto* side : {&data.train, &data.validation})
    side->reference = train::reply_log_probabilities(reference.config, s.compute.options, parameters, side->replies, options, s.group);
}

void require_same_context(const train::LoadedCheckpoint& start, const train::LoadedCheckpoint& reference, const Path& path) {
  if (reference.config.vocab_size == start.config.vocab_size && reference.config.context_size >= start.config.context_size) return;
  throw base::bad_input({.what = "the reference model cannot score what the policy is trained on", .where = path.string(),
                         .expected = cat("a vocabulary of ", start.config.vocab_size, " tokens and a context of ", start.config.context_size, " or more"),
                         .found = cat("a vocabulary of ", reference.config.vocab_size, " and a context of ", reference.config.context_size),
                         .remedy = "leave --reference-checkpoint out: the checkpoint that training starts from is then the reference"});
}

}  // namespace

std::vector<std::string> dpo_fields(const gate::RunOptions& options, bool adapters) {
  std::vector<std::string> fields = kDpoFields;
  for (const auto& name : kLoopFields)
    if (name != "early_stop_min_delta") fields.push_back(name);  // DPO has its own
  fields.push_back("seed");
  const auto trained = adapters ? lora_fields(options) : std::vector<std::string>();
  fields.insert(fields.end(), trained.begin(), trained.end());
  return fields;
}

void train_dpo_as_rank(StageTraining& s, const Json& order) {
  auto path = [&](const char* name) { return Path(order.at(name).get<std::string>()); };
  s.adapters = order.at("adapters").get<bool>();
  const StageOptions o = dpo_options(s.options);
  const auto start = train::load_checkpoint(path("checkpoint")), reference = train::load_checkpoint(path("reference"));
  const auto options = source_options(s, o, start.config);
  auto data = train::prepare_preferences(*s.tokenizer, tasks::read_preference_rows(path("preferences")), start.config.context_size, static_cast<uint64_t>(s.options.seed), s.val_fraction);
  if (order.at("recalled").get<bool>()) recall_reference(s.folder / kReferenceFile, order.at("reference_key"), data);
  else measure_reference(s, reference, options, data);
  train::PreferenceSource source(data.train, options);
  train::SilentObserver silent;
  train::train(s.files, dpo_trainer(s, o, start), start.parameters, source, *train::preference_validator(data.validation, options), silent);
}

Json train_dpo(const StageTraining& s, const train::LoadedCheckpoint& start, const Path& start_checkpoint, const Path& reference_checkpoint, const Path& preferences) {
  const StageOptions o = dpo_options(s.options);
  const auto reference = reference_checkpoint == start_checkpoint ? start : train::load_checkpoint(reference_checkpoint);
  require_same_context(start, reference, reference_checkpoint);
  const auto options = source_options(s, o, start.config);
  auto data = train::prepare_preferences(*s.tokenizer, tasks::read_preference_rows(preferences), start.config.context_size, static_cast<uint64_t>(s.options.seed), s.val_fraction);
  base::say(cat("dpo data: ", data.train.size(), " pairs to train on, ", data.validation.size(), " held out by ", data.report.at("split_method").get<std::string>(), ", ",
                data.report.at("skipped_long_examples").get<int64_t>(), " too long"));
  const Json key = reference_key(s, reference, preferences, options);
  const bool recalled = recall_reference(s.folder / kReferenceFile, key, data);
  order_training(s, "dpo", {{"checkpoint", std::filesystem::absolute(start_checkpoint).string()}, {"reference", std::filesystem::absolute(reference_checkpoint).string()},
                            {"preferences", std::filesystem::absolute(preferences).string()}, {"adapters", s.adapters}, {"recalled", recalled}, {"reference_key", key}});
  if (!recalled) {
    measure_reference(s, reference, options, data);
    s.files.make_directories(s.folder);
    base::write_file(s.files, s.folder / kReferenceFile, base::dump(Json{{"kind", "reference_log_probs"}, {"made_from", key}, {"train", data.train.reference}, {"validation", data.validation.reference}}) + "\n");
  }
  base::say(cat("dpo: log-probabilities of the reference ", recalled ? "are those of the earlier start" : "measured", ", beta ", options.beta));
  train::PreferenceSource source(data.train, options);
  auto t = dpo_trainer(s, o, start);
  t.identity["start_checkpoint_sha256"] = start.digest.hex();
  t.identity["reference_checkpoint_sha256"] = reference.digest.hex();
  RunObserver observer(s.files, s.dir, "dpo", s.folder, o.steps, s.options.tensorboard_log_dir);
  const auto result = train::train(s.files, t, start.parameters, source, *train::preference_validator(data.validation, options), observer);

  auto facts = train_facts(s, "dpo", o, t, result);
  facts.micro_batch_size = 2 * o.batch;  // in sequences
  facts.dataset = data.report;
  facts.dataset["sampling"] = source.description();
  facts.extra = {{"start_checkpoint", checkpoint_reference(s, start_checkpoint)}, {"reference_checkpoint", checkpoint_reference(s, reference_checkpoint)}};
  if (t.lora) facts.extra["peft"] = t.lora->description();
  facts.sample = eval::reply_to(selected_model(s), s.sample_prompt, s.sample_tokens);
  return publish_report(s, "dpo_report.json", facts, result);
}

}  // namespace picochat::factory
