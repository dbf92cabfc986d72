// The training of a stage, the same for `run tiny` and for `train base|sft`: options into the trainer, its results into reports.
#include "stage_parts.hpp"

#include "gemm_peak.hpp"
#include "mirror.hpp"
#include "observer.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/run_summary.hpp"
#include "picochat/evidence/train_report.hpp"
#include "picochat/gate/budget.hpp"
#include "picochat/honesty/memorization.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/tasks/rows.hpp"
#include "picochat/train/bigram_baseline.hpp"
#include "run_context.hpp"
#include "training_data.hpp"

namespace picochat::factory {
namespace {

using base::cat;

constexpr const char* kBatchSize = "batch_size";
constexpr const char* kAccumulation = "grad_accum_steps";
constexpr int64_t kBigramTokenLimit = 50'000'000;  // above it the pair table would need gigabytes
constexpr int64_t kCanaryTokens = 80;

StageOptions base_options(const gate::RunOptions& o) {
  return {o.base_steps, o.base_batch_size, o.base_grad_accum_steps, o.base_lr_warmup_steps, o.base_early_stop_patience, o.base_learning_rate,
          o.base_min_lr_ratio, o.base_grad_clip, o.base_weight_decay, o.base_beta1, o.base_beta2, o.base_muon_learning_rate, o.base_ema_decay,
          o.base_max_minutes, o.base_lr_decay, o.base_optimizer, o.base_weight_decay_decay, o.base_muon_momentum_schedule};
}

StageOptions sft_options(const gate::RunOptions& o) {
  return {o.sft_steps, o.sft_batch_size, o.sft_grad_accum_steps, o.sft_lr_warmup_steps, o.sft_early_stop_patience, o.sft_learning_rate,
          o.sft_min_lr_ratio, o.sft_grad_clip, o.sft_weight_decay, o.sft_beta1, o.sft_beta2, o.sft_muon_learning_rate, o.sft_ema_decay,
          o.sft_max_minutes, o.sft_lr_decay, o.sft_optimizer, o.sft_weight_decay_decay, o.sft_muon_momentum_schedule};
}

}  // namespace

train::TrainerOptions trainer_options(const StageTraining& s, const std::string& stage, const StageOptions& o, const model::Config& config) {
  const auto& options = s.options;
  train::TrainerOptions t;
  t.stage = stage;
  t.folder = s.folder;
  t.config = config;
  t.compute = s.compute.options;
  t.max_steps = o.steps;
  t.grad_accum_steps = o.accum * ranks(s.group);
  t.group = s.group;
  t.strategy = options.distributed_strategy == "zero1" ? train::Strategy::kZero1 : options.distributed_strategy == "fsdp" ? train::Strategy::kFsdp : train::Strategy::kDdp;
  t.learning_rate = {.peak = s.learning_rate, .warmup_steps = o.warmup, .max_steps = o.steps, .decay = o.decay, .min_ratio = o.min_ratio};
  t.optimizer = {.name = o.optimizer, .beta1 = o.beta1, .beta2 = o.beta2, .muon_rate_ratio = o.muon_rate / o.rate};
  t.weight_decay = o.weight_decay;
  t.weight_decay_decay = o.weight_decay_decay;
  t.muon_momentum_schedule = o.muon_momentum;
  t.grad_clip = o.clip;
  t.ema_decay = o.ema;
  t.eval_every = s.eval_every > 0 ? s.eval_every : gate::validation_interval(o.steps);
  t.early_stop_patience = o.patience;
  t.early_stop_min_delta = options.early_stop_min_delta;
  t.max_minutes = o.max_minutes.value_or(0);
  t.select_by = stage == "base" ? train::SelectBy::kValBpb : train::SelectBy::kValLoss;
  t.spike = {.rollback = options.loss_spike_rollback, .threshold = options.loss_spike_threshold, .lr_decay = options.loss_spike_lr_decay,
             .min_lr_scale = options.loss_spike_min_lr_scale, .snapshot_every = options.loss_spike_snapshot_every};
  t.checkpoint_minutes = options.checkpoint_minutes;
  t.checkpoint_every_steps = options.checkpoint_every_steps;
  t.flops_per_token = config.flops_per_token();
  t.peak_flops = s.compute.peak_flops;
  t.measure_gemm_flops = [compute = t.compute] { return measure_gemm_flops(compute.device.is_cpu() ? 1024 : 8192, 3, compute.device, compute.dtype); };
  t.hourly_usd = options.gpu_hourly_usd.value_or(0) * static_cast<double>(ranks(s.group));
  if (options.mirror && leads(s.group))
    t.published = [&files = s.files, mirror = Path(*options.mirror), run = s.dir](const Path& checkpoint) { mirror_checkpoint(files, mirror, run, checkpoint); };
  t.fingerprint = s.fingerprint;
  t.identity = {{"tokenizer_sha256", base::sha256_file(s.tokenizer_path).hex()}, {"instruction_level", model::instruction_level()}};
  return t;
}

Json checkpoint_reference(const StageTraining& s, const Path& path) {
  return std::filesystem::exists(path) ? evidence::artifact(s.dir, path) : Json(nullptr);
}

evidence::TrainFacts train_facts(const StageTraining& s, const std::string& stage, const StageOptions& o, const train::TrainerOptions& t,
                                 const train::TrainResult& result) {
  evidence::TrainFacts facts;
  facts.stage = stage;
  facts.config = picked(s.options, kModelFields);
  facts.config.update(picked(s.options, stage == "dpo" ? kDpoFields : training_fields(stage + "_", {})));
  facts.config["effective_learning_rate"] = t.learning_rate.peak;
  facts.config["device"] = s.compute.device;
  facts.config["precision"] = s.compute.precision;
  facts.config["training_fingerprint"] = t.fingerprint;
  facts.model = {{"config", gate::to_json(t.config)}, {"num_parameters", t.config.parameter_count()}};
  facts.planned_steps = o.steps;
  facts.actual_steps = result.steps;
  facts.micro_batch_size = o.batch;
  facts.grad_accum_steps = o.accum;
  facts.world_size = ranks(s.group);
  facts.context_size = t.config.context_size;
  facts.grad_clip = o.clip;
  facts.flops_per_token = t.flops_per_token;
  facts.stop_reason = result.stop_reason;
  facts.checkpoint = checkpoint_reference(s, result.checkpoint);
  facts.best_checkpoint = facts.checkpoint;
  facts.last_checkpoint = checkpoint_reference(s, result.last_checkpoint);
  if (result.ema_checkpoint) facts.ema_checkpoint = checkpoint_reference(s, *result.ema_checkpoint);
  return facts;
}

Json publish_report(const StageTraining& s, const std::string& name, const evidence::TrainFacts& facts, const train::TrainResult& result) {
  const auto events = evidence::read_metrics(s.dir / "metrics.jsonl", facts.stage);
  const Json report = evidence::build_train_report(facts, events);
  evidence::write_train_report(s.files, s.folder, name, report, events);
  base::say(cat(facts.stage, ": stopped by ", result.stop_reason, " after ", result.steps, " steps; the checkpoint of step ", result.best_step, " is selected"));
  return report;
}

eval::LanguageModel selected_model(const StageTraining& s) { return eval::load_language_model(s.folder / "checkpoint", s.tokenizer_path, s.compute.options); }

namespace {

// By document of the corpus, in its order; empty where documents are held out in part.
std::vector<bool> held_out_documents(const train::TokenShards& shards, const train::Split& split) {
  std::vector<bool> held_out;
  if (split.method != "document") return held_out;
  held_out.assign(static_cast<size_t>(shards.document_count()), false);
  int64_t document = 0;
  for (const train::Span& span : split.validation.spans()) {
    while (document < shards.document_count() && shards.document_start(document) < span.start) ++document;
    for (; document < shards.document_count() && shards.document_start(document) < span.end; ++document) held_out[static_cast<size_t>(document)] = true;
  }
  return held_out;
}

// Does the model recite its training text, or complete a phrase that stands in it once? The text is read again
// from its files, so the dataset mode makes no difference.
Json probe_memorization(const StageTraining& s, const corpus::Corpus& corpus, const eval::LanguageModel& language_model, const std::string& sample, const std::vector<bool>& held_out) {
  const auto& options = s.options;
  honesty::MemorizationInputs inputs;
  inputs.generated = {{"sample", sample}};
  inputs.corpus = honesty::stream_of(corpus);
  inputs.threads = static_cast<int>(options.threads);
  if (!held_out.empty()) inputs.held_out = [&](size_t document) { return document < held_out.size() && held_out[document]; };
  std::string log;
  for (int64_t i = 0; i < options.canary_count; ++i) {
    inputs.canaries.push_back(canary_value(options.seed, i));
    inputs.probes.push_back(eval::continue_text(language_model, kCanaryPrefix, kCanaryTokens,
                                                {.temperature = i == 0 ? 0.0 : 0.8, .top_k = 20, .seed = static_cast<uint64_t>(options.seed + 17 + i)}));
    log += cat(kCanaryPrefix, inputs.probes.back(), "\n\n");
  }
  if (options.canary_count > 0) base::write_file(s.files, s.folder / "canary_probe.txt", log);
  Json report = honesty::measure_memorization(inputs);
  base::say(cat("base: memorization ", report.at("status").get<std::string>(), ": ", report.at("summary").get<std::string>()));
  return report;
}

}  // namespace

std::vector<std::string> lora_fields(const gate::RunOptions& options) {
  if (options.sft_peft == "none") return {};
  return {"sft_peft", "sft_lora_rank", "sft_lora_alpha", "sft_lora_targets"};
}

std::vector<std::string> sft_fields(const gate::RunOptions& options) {
  std::vector<std::string> fields{"sft_sampling", "sft_packing"};
  const auto adapters = lora_fields(options);
  fields.insert(fields.end(), adapters.begin(), adapters.end());
  return training_fields("sft_", fields);
}

Json training_key(const gate::RunOptions& options, const std::string& prefix, const std::vector<std::string>& fields) {
  Json key = picked(options, fields);
  const int64_t sequences = key.at(prefix + kBatchSize).get<int64_t>() * key.at(prefix + kAccumulation).get<int64_t>() * gate::planned_world_size(options);
  key.erase(prefix + kBatchSize);
  key.erase(prefix + kAccumulation);
  key[prefix + "sequences_per_step"] = sequences;
  return key;
}

std::vector<std::string> training_fields(const std::string& prefix, const std::vector<std::string>& more) {
  std::vector<std::string> fields = kLoopFields;
  fields.insert(fields.end(), {"auto_lr_scaling", "seed"});
  for (const auto& name : kStageFields) fields.push_back(prefix + name);
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

namespace {

// The data of base training, the same on every rank: micro-batches are cut from the step's sequences, and each rank takes some of them.
BaseData base_data(const StageTraining& s, const StageOptions& o, const model::Config& config, const std::shared_ptr<const train::TokenShards>& shards) {
  return {shards, s.options.val_tokens, s.options.split_mode,
          {.context_size = config.context_size, .batch_size = o.batch, .grad_accum_steps = o.accum * ranks(s.group), .seed = static_cast<uint64_t>(s.options.seed),
           .isolate_documents = s.options.base_dataset_mode == "packed"}};
}

train::SftOptions sft_source_options(const StageTraining& s, const StageOptions& o, const model::Config& config) {
  return {.context_size = config.context_size, .batch_size = o.batch, .grad_accum_steps = o.accum * ranks(s.group), .sampling = s.options.sft_sampling,
          .packing = s.options.sft_packing, .seed = static_cast<uint64_t>(s.options.seed)};
}

at::Tensor initial_weights(const model::Config& config, int64_t seed) {
  auto initial = model::allocate_flat(model::ParameterLayout(config).size());
  model::initialize(config, static_cast<uint64_t>(seed), initial);
  return initial;
}

}  // namespace

void add_lora(const StageTraining& s, const train::LoadedCheckpoint& start, train::TrainerOptions& t) {
  if (s.options.sft_peft != "lora") return;
  t.lora = std::make_shared<const train::Lora>(start.config, train::LoraOptions{.rank = s.options.sft_lora_rank, .alpha = s.options.sft_lora_alpha, .targets = base::split(s.options.sft_lora_targets, ',')}, start.parameters.to(s.compute.options.device));
  t.lora_seed = static_cast<uint64_t>(s.options.seed);
  t.identity["peft"] = t.lora->description();
}

// What the other ranks cannot know from their command line. Paths are as rank 0 has them: all ranks see one file system.
void order_training(const StageTraining& s, const char* what, const Json& inputs) {
  if (!s.group) return;
  Json order{{"train", what}, {"dir", s.dir.string()}, {"folder", s.folder.string()}, {"tokenizer", s.tokenizer_path.string()}, {"learning_rate", s.learning_rate},
             {"fingerprint", s.fingerprint}, {"eval_every", s.eval_every}, {"val_fraction", s.val_fraction}, {"val_tokens", s.options.val_tokens}};
  order.update(inputs);
  s.group->order(base::dump(order, -1));
}

void train_as_rank(base::FileSystem& files, const gate::RunOptions& given, const Compute& compute, const Group& group, const Json& order) {
  gate::RunOptions options = given;
  options.val_tokens = order.at("val_tokens").get<int64_t>();
  auto path = [&](const char* name) { return Path(order.at(name).get<std::string>()); };
  StageTraining s{.files = files, .options = options, .dir = path("dir"), .folder = path("folder"), .tokenizer_path = path("tokenizer")};
  s.tokenizer = tokenizer::load_tokenizer(s.tokenizer_path);
  s.learning_rate = order.at("learning_rate").get<double>();
  s.fingerprint = order.at("fingerprint").get<std::string>();
  s.eval_every = order.at("eval_every").get<int64_t>();
  s.val_fraction = order.at("val_fraction").get<double>();
  s.compute = compute;
  s.group = group;
  const auto lengths = train::byte_lengths(*s.tokenizer);
  train::SilentObserver silent;
  if (order.at("train") == "base") {
    const StageOptions o = base_options(options);
    const auto config = gate::model_config(options, static_cast<int64_t>(s.tokenizer->vocab_size()));
    BaseData data = base_data(s, o, config, std::make_shared<const train::TokenShards>(path("shards")));
    train::train(files, trainer_options(s, "base", o, config), initial_weights(config, options.seed), data.source, *data.validator(lengths), silent);
    return;
  }
  if (order.at("train") == "dpo") return train_dpo_as_rank(s, order);
  const StageOptions o = sft_options(options);
  const auto start = train::load_checkpoint(path("checkpoint"));
  const auto data = train::prepare_sft(*s.tokenizer, tasks::read_chat_rows(path("chat")), start.config.context_size, static_cast<uint64_t>(options.seed), s.val_fraction);
  train::SftSource source(data.train, sft_source_options(s, o, start.config));
  auto t = trainer_options(s, "sft", o, start.config);
  add_lora(s, start, t);
  train::train(files, t, start.parameters, source, *train::sft_validator(data.validation, start.config.context_size, o.batch, lengths), silent);
}

Json train_base(const StageTraining& s, const corpus::Corpus& corpus, const Path& shards_folder) {
  const auto& options = s.options;
  const StageOptions o = base_options(options);
  const auto shards = std::make_shared<const train::TokenShards>(shards_folder);
  const auto config = gate::model_config(options, static_cast<int64_t>(s.tokenizer->vocab_size()));
  const auto lengths = train::byte_lengths(*s.tokenizer);
  BaseData data = base_data(s, o, config, shards);
  const auto& split = data.split;
  auto& source = data.source;
  const auto validator = data.validator(lengths);
  base::say(cat("base data: ready train=", base::grouped(split.train.size()), " val=", base::grouped(split.validation.size()), " tokens, split by ", split.method));
  base::say(cat("base data: batch sampling mode=permutation windows=", base::grouped(source.windows()), " of ", config.context_size, " tokens, ",
                base::fixed(static_cast<double>(o.steps * o.batch * o.accum * ranks(s.group)) / static_cast<double>(source.windows()), 2), " epochs planned"));
  Json bigram{{"status", "not_measured"}, {"reason", cat("more than ", kBigramTokenLimit, " training tokens")}};
  if (split.train.size() <= kBigramTokenLimit) {
    const auto baseline = train::bigram_baseline(split.train, split.validation, config.context_size, config.vocab_size, lengths);
    bigram = {{"model", "interpolated Kneser-Ney bigram over the same tokens"}, {"val_bpb", baseline.bpb}, {"val_bpb_stderr", baseline.bpb_stderr},
              {"val_loss", baseline.loss}};
    base::say(cat("base data: a Kneser-Ney bigram has val_bpb ", base::fixed(baseline.bpb, 4), " on the same windows"));
  }
  base::say(cat("base: ", base::short_count(static_cast<double>(config.parameter_count())), " parameters, ", o.steps, " steps of ",
                base::grouped(o.batch * o.accum * ranks(s.group) * config.context_size), " tokens", s.group ? cat(" on ", ranks(s.group), " ranks") : "", ", memory for training ",
                base::human_bytes(static_cast<uint64_t>(model::Transformer::arena_bytes(config, o.batch, config.context_size, true, s.compute.options)))));
  const auto t = trainer_options(s, "base", o, config);
  RunObserver observer(s.files, s.dir, "base", s.folder, o.steps, options.tensorboard_log_dir);
  order_training(s, "base", {{"shards", shards_folder.string()}});
  const auto result = train::train(s.files, t, initial_weights(config, options.seed), source, *validator, observer);

  auto facts = train_facts(s, "base", o, t, result);
  facts.dataset = train::split_json(split);
  facts.dataset["sampling"] = source.description();
  facts.train_tokens = split.train.size();
  facts.dataset_tokens = shards->size();
  const auto language_model = selected_model(s);
  facts.sample = eval::continue_text(language_model, "", s.sample_tokens, {.temperature = 0.8, .top_k = 20, .seed = static_cast<uint64_t>(options.seed)});
  facts.extra = {{"bigram_baseline", bigram}, {"memorization", probe_memorization(s, corpus, language_model, facts.sample, held_out_documents(*shards, split))}};
  return publish_report(s, "train_report.json", facts, result);
}

Json train_sft(const StageTraining& s, const train::LoadedCheckpoint& start, const Path& start_checkpoint, const Path& chat) {
  const auto& options = s.options;
  const StageOptions o = sft_options(options);
  const auto rows = tasks::read_chat_rows(chat);
  const auto data = train::prepare_sft(*s.tokenizer, rows, start.config.context_size, static_cast<uint64_t>(options.seed), s.val_fraction);
  train::SftSource source(data.train, sft_source_options(s, o, start.config));
  const auto validator = train::sft_validator(data.validation, start.config.context_size, o.batch, train::byte_lengths(*s.tokenizer));
  source.prepare(1);
  base::say(cat("sft data: ", data.train.size(), " conversations to train on, ", data.validation.size(), " held out by ",
                data.report.at("split_method").get<std::string>(), ", ", data.report.at("skipped_long_examples").get<int64_t>(), " too long, packing ",
                options.sft_packing));
  auto t = trainer_options(s, "sft", o, start.config);
  t.identity["base_checkpoint_sha256"] = start.digest.hex();
  add_lora(s, start, t);
  if (t.lora)
    base::say(cat("sft: LoRA trains ", base::grouped(t.lora->description().at("trainable_parameters").get<int64_t>()), " of ", base::grouped(start.config.parameter_count()), " parameters"));
  RunObserver observer(s.files, s.dir, "sft", s.folder, o.steps, options.tensorboard_log_dir);
  order_training(s, "sft", {{"checkpoint", std::filesystem::absolute(start_checkpoint).string()}, {"chat", std::filesystem::absolute(chat).string()}});
  const auto result = train::train(s.files, t, start.parameters, source, *validator, observer);

  auto facts = train_facts(s, "sft", o, t, result);
  facts.dataset = data.report;
  facts.dataset["sampling"] = source.description();
  facts.extra = {{"base_checkpoint", checkpoint_reference(s, start_checkpoint)}};
  if (t.lora) facts.extra["peft"] = t.lora->description();
  const auto language_model = selected_model(s);
  facts.sample = eval::reply_to(language_model, s.sample_prompt, s.sample_tokens);
  return publish_report(s, "sft_report.json", facts, result);
}

// Once the stage is recorded as done, `checkpoint` and `last_checkpoint` hold all that is worth its space.
void drop_working_checkpoints(base::FileSystem& files, const Path& folder) {
  train::clear_stage(files, folder / "best");
  train::CheckpointSeries(files, folder / "resume_checkpoint").prune(1);
}

}  // namespace picochat::factory
