// Flag > preset > default, and what follows from the three together.
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/budget.hpp"
#include "picochat/gate/presets.hpp"
#include "picochat/gate/run_options.hpp"

namespace picochat::gate {

using base::cat;
using base::Json;
using base::usage_error;

namespace {

bool given(const ResolvedRunOptions& run, const char* field) { return run.source.at(field) == OptionSource::kFlag; }

// Ranks come from the launcher when there is one; a preset or flag only plans for them.
void settle_ranks(ResolvedRunOptions& run, const ResolveContext& context) {
  RunOptions& o = run.options;
  if (context.world_size) {
    if (given(run, "ddp") && !o.ddp && *context.world_size > 1)
      throw usage_error({.what = cat("--no-ddp under a launcher of ", *context.world_size, " ranks"), .where = "WORLD_SIZE",
                         .remedy = "start the program without the launcher, or leave --no-ddp out"});
    if (!(given(run, "ddp") && !o.ddp)) {
      o.ddp = true;
      o.ddp_world_size = *context.world_size;
      run.source["ddp"] = run.source["ddp_world_size"] = OptionSource::kEnvironment;
      return;
    }
  }
  if (given(run, "ddp_world_size") && o.ddp_world_size > 1 && !o.ddp) {
    if (given(run, "ddp"))
      throw usage_error({.what = cat("--ddp-world-size ", o.ddp_world_size, " with --no-ddp"), .where = "command line",
                         .remedy = "leave one of the two out"});
    o.ddp = true;
    run.source["ddp"] = OptionSource::kDerived;
  }
  if (!o.ddp && o.ddp_world_size != 1) {
    o.ddp_world_size = 1;
    run.source["ddp_world_size"] = OptionSource::kDerived;
  }
}

// Sequences per step stay fixed whatever the micro-batch and the number of ranks, unless the user
// sets the accumulation by hand.
void settle_sequences_per_step(ResolvedRunOptions& run) {
  RunOptions& o = run.options;
  if (!o.base_sequences_per_step) return;
  const int64_t sequences = *o.base_sequences_per_step, per_micro_step = o.base_batch_size * planned_world_size(o);
  if (given(run, "base_grad_accum_steps")) {
    if (!given(run, "base_sequences_per_step")) {
      o.base_sequences_per_step.reset();
      run.source["base_sequences_per_step"] = OptionSource::kDerived;
    } else if (per_micro_step * o.base_grad_accum_steps != sequences) {
      throw usage_error({.what = "sequences per step, batch and accumulation do not agree", .where = "--base-sequences-per-step",
                         .expected = cat(per_micro_step * o.base_grad_accum_steps, " = batch ", o.base_batch_size, " x accumulation ",
                                         o.base_grad_accum_steps, " x ranks ", planned_world_size(o)),
                         .found = cat(sequences), .remedy = "leave --base-grad-accum-steps out: it follows from the others"});
    }
    return;
  }
  if (sequences % per_micro_step)
    throw usage_error({.what = cat("the step of ", sequences, " sequences cannot be cut into micro-batches of ", o.base_batch_size, " on ",
                                   planned_world_size(o), " ranks"),
                       .where = "--base-batch-size", .expected = cat("batch x ranks that divides ", sequences), .found = cat(per_micro_step),
                       .remedy = "choose another --base-batch-size or --base-sequences-per-step"});
  if (int64_t steps = sequences / per_micro_step; steps != o.base_grad_accum_steps) {
    o.base_grad_accum_steps = steps;
    run.source["base_grad_accum_steps"] = OptionSource::kDerived;
  }
}

void check_combinations(const ResolvedRunOptions& run) {
  const RunOptions& o = run.options;
  auto refuse = [](const std::string& what, const std::string& where, const std::string& remedy) {
    throw usage_error({.what = what, .where = where, .remedy = remedy});
  };
  if (o.dataset_pack) {
    for (const auto& [flag, value] : {std::pair<const char*, const std::optional<std::string>&>{"--corpus-input", o.corpus_input},
                                      {"--corpus-recipe", o.corpus_recipe}, {"--chat-input", o.chat_input}, {"--eval-input", o.eval_input}})
      if (value) refuse(cat(flag, " together with --dataset-pack"), flag, "a pack names its own files: leave one of the two out");
  }
  if (o.corpus_input && o.corpus_recipe)
    refuse("--corpus-recipe together with --corpus-input", "--corpus-recipe", "name the folder as a source of the recipe, or leave one out");
  if (o.sft_resume_from && !o.base_resume_from) refuse("--sft-resume-from without --base-resume-from", "--sft-resume-from", "give both, or none: the same command resumes by itself");
  if (o.dpo_input && o.dpo_steps == 0) refuse("--dpo-input without steps", "--dpo-steps", "say how many: --dpo-steps 100");
  if (!o.dpo_input && o.dpo_steps > 0) refuse("--dpo-steps without data", "--dpo-input", "name the preference rows: --dpo-input FILE");
  if (o.device == "cpu" && o.precision == "fp16") refuse("fp16 on the CPU", "--precision", "use --precision float32");
  if (o.scale != "custom" && o.scale.empty()) refuse("an empty preset name", "--scale", "name a preset, or custom");
  for (const char* name : {"sft_lora_rank", "sft_lora_alpha", "sft_lora_dropout", "sft_lora_targets"})
    if (o.sft_peft == "none" && given(run, name))
      refuse(cat(run_options().find(name)->flag(), " without adapters"), run_options().find(name)->flag(), "add --sft-peft lora, or leave it out");
  static const std::vector<std::string> targets{"attn_qkv", "attn_proj", "mlp_fc", "mlp_proj", "all_linear"};
  for (const auto& target : base::split(o.sft_lora_targets, ','))
    if (std::find(targets.begin(), targets.end(), base::trim(target)) == targets.end())
      throw usage_error({.what = "unknown LoRA target", .where = "--sft-lora-targets", .expected = cat("a comma list of ", base::join(targets, ", ")), .found = target,
                         .remedy = "name the layers to adapt: --sft-lora-targets attn_qkv,attn_proj"});
  for (const auto& name : {"out_dir", "dataset_pack", "corpus_input", "corpus_recipe", "chat_input", "eval_input", "dpo_input"})
    if (Json value = run_options().find(name)->value(&o); value.is_string() && value.get<std::string>().empty() && given(run, name))
      refuse("an empty path", run_options().find(name)->flag(), "name a file or folder");
  model_config(o, estimated_vocab_size(o));
}

PresetIntent intent_of(const Json& preset_values) {
  ResolvedRunOptions plain;
  for (const auto& field : run_options().fields()) plain.source[field.name] = OptionSource::kDefault;
  run_options().merge(plain.options, preset_values, "preset");
  settle_ranks(plain, {});
  settle_sequences_per_step(plain);
  const RunOptions& o = plain.options;
  const int64_t ranks = planned_world_size(o);
  return {.base_effective_batch = o.base_batch_size * o.base_grad_accum_steps * ranks,
          .sft_effective_batch = o.sft_batch_size * o.sft_grad_accum_steps * ranks, .world_size = ranks,
          .base_learning_rate = o.base_learning_rate, .sft_learning_rate = o.sft_learning_rate};
}

}  // namespace

std::string to_text(OptionSource source) {
  switch (source) {
    case OptionSource::kDefault: return "default";
    case OptionSource::kPreset: return "preset";
    case OptionSource::kFlag: return "flag";
    case OptionSource::kEnvironment: return "environment";
    case OptionSource::kDerived: return "derived";
  }
  return "";
}

ResolvedRunOptions resolve_run_options(const Json& given_flags, const ResolveContext& context) {
  ResolvedRunOptions run;
  Json flags = given_flags;
  if (const auto batch = flags.find("base_batch_size"); batch != flags.end() && *batch == "auto") {
    flags.erase(batch);
    run.options.base_batch_auto = true;
  }
  for (const auto& field : run_options().fields()) run.source[field.name] = OptionSource::kDefault;

  RunOptions typed;  // checks every flag before any file is read
  run_options().merge(typed, flags, "command line");
  if (typed.scale != "custom") {
    std::optional<base::Path> folder;
    if (typed.presets_dir) folder = *typed.presets_dir;
    const Preset preset = find_preset(typed.scale, folder);
    run_options().merge(run.options, preset.values, preset.origin);
    for (const auto& [key, value] : preset.values.items()) run.source[key] = OptionSource::kPreset;
    run.intent = intent_of(preset.values);
  }
  run_options().merge(run.options, flags, "command line");
  for (const auto& [key, value] : flags.items()) run.source[key] = OptionSource::kFlag;
  for (const auto& field : run_options().fields())
    if (field.required && run.source.at(field.name) == OptionSource::kDefault)
      throw usage_error({.what = cat(field.flag(), " is missing"), .where = "command line", .remedy = cat("add ", field.flag(), " ...")});

  settle_ranks(run, context);
  settle_sequences_per_step(run);
  check_combinations(run);
  return run;
}

Json provenance_json(const ResolvedRunOptions& resolved) {
  Json out = Json::object();
  for (const auto& field : run_options().fields()) {
    if (field.hidden) continue;
    out[field.name] = {{"value", field.value(&resolved.options)}, {"source", to_text(resolved.source.at(field.name))}};
  }
  return out;
}

Json recorded_option(const Json& run, const std::string& name) { return base::member(base::member(base::member(run, "options"), name), "value"); }

ModelConfig model_config(const RunOptions& o, int64_t vocab_size) {
  ModelConfig config;
  config.vocab_size = vocab_size;
  config.context_size = o.context_size;
  config.n_embd = o.n_embd;
  config.n_head = o.n_head;
  config.n_kv_head = o.n_kv_head.value_or(o.n_head);
  config.n_layer = o.n_layer;
  config.norm_type = parse_norm_type(o.norm_type, "--norm-type");
  config.position_encoding = parse_position_encoding(o.position_encoding, "--position-encoding");
  config.activation = parse_activation(o.activation, "--activation");
  config.tie_embeddings = o.tie_embeddings;
  config.qk_norm = o.qk_norm;
  config.parallel_residual = o.parallel_residual;
  config.linear_bias = o.linear_bias;
  config.scaled_residual_init = o.scaled_residual_init;
  config.dropout = o.dropout;
  config.logit_softcap = o.logit_softcap;
  config.rope_base = o.rope_base;
  config.initializer_range = o.initializer_range;
  try {
    config.validate("command line");
  } catch (const base::Error& error) {  // the shape was asked for by flags: wrong usage, not a bad file
    auto details = error.details();
    if (details.remedy.empty()) details.remedy = "change the model flags (--n-embd, --n-head, --n-kv-head, ...)";
    throw usage_error(details);
  }
  return config;
}

}  // namespace picochat::gate
