#include "picochat/gate/scale_plan.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/presets.hpp"
#include "picochat/gate/run_options.hpp"

namespace picochat::gate {
namespace {

using base::cat;
using base::fixed;
using base::grouped;
using base::Json;

constexpr double kUsableMemory = 0.9;      // the share that memory_fit passes
constexpr double kFewestEpochs = 1, kMostEpochs = 12;
constexpr double kSftEpochs = 15, kSftPackRows = 2800, kSftRowTokens = 73;  // a release_skills pack in scratchpad style
constexpr int64_t kSftSequences = 32;

constexpr std::array<Gpu, 4> kGpus{{{"a100", "NVIDIA A100 80GB", 79.3}, {"h100", "NVIDIA H100 80GB", 79.1}, {"h200", "NVIDIA H200 141GB", 139.8},
                                    {"b200", "NVIDIA B200 180GB", 178.0}}};

const Gpu& gpu_of(const ScalePlanOptions& o) {
  return *std::find_if(kGpus.begin(), kGpus.end(), [&](const Gpu& gpu) { return gpu.name == o.gpu; });
}

// As one would write it down.
double two_digits(double value) {
  const int places = 1 - static_cast<int>(std::floor(std::log10(value)));
  return std::stod(base::fixed(value, places));
}

struct Plan {
  RunOptions run;
  ModelConfig config;
  Budget budget;
  MemoryEstimate memory;
  bool fits = false;
  std::vector<std::string> changes;  // what was done to make it fit
};

void set_shape(RunOptions& r, const ModelConfig& c) {
  r.tokenizer_type = "hf_bpe";
  r.tokenizer_vocab_size = c.vocab_size;
  r.tokenizer_min_freq = 2;
  r.context_size = c.context_size;
  r.n_embd = c.n_embd;
  r.n_head = c.n_head;
  r.n_kv_head = c.n_kv_head;
  r.n_layer = c.n_layer;
  r.norm_type = to_text(c.norm_type);
  r.position_encoding = to_text(c.position_encoding);
  r.activation = to_text(c.activation);
  r.tie_embeddings = c.tie_embeddings;
  r.qk_norm = c.qk_norm;
  r.parallel_residual = c.parallel_residual;
  r.linear_bias = c.linear_bias;
  r.scaled_residual_init = c.scaled_residual_init;
}

void set_training(RunOptions& r, const ScalePlanOptions& o, const ModelConfig& c) {
  r.base_batch_size = o.per_device_batch_size;
  r.base_grad_accum_steps = o.grad_accum_steps;
  r.ddp = o.world_size > 1;
  r.ddp_world_size = o.world_size;
  r.base_sequences_per_step = o.per_device_batch_size * o.grad_accum_steps * o.world_size;
  r.target_param_data_ratio = o.target_param_data_ratio;
  const double tokens_per_step = static_cast<double>(*r.base_sequences_per_step * c.context_size);
  r.base_steps = static_cast<int64_t>(std::ceil(static_cast<double>(c.parameter_count()) * o.target_param_data_ratio / tokens_per_step));
  r.base_learning_rate = preset_learning_rate(static_cast<double>(c.parameter_count()));
  r.base_lr_warmup_steps = std::clamp<int64_t>(r.base_steps / 22, 1, 2000);
  r.base_lr_decay = r.sft_lr_decay = "cosine";
  r.base_min_lr_ratio = r.sft_min_lr_ratio = 0.1;
  r.base_grad_clip = r.sft_grad_clip = 1;
  r.base_dataset_mode = "sharded";
  r.val_tokens = 1 << 20;
  r.loss_spike_rollback = o.world_size == 1;
  r.sft_batch_size = std::max<int64_t>(1, std::min<int64_t>(8, kSftSequences / o.world_size));
  r.sft_grad_accum_steps = std::max<int64_t>(1, kSftSequences / (r.sft_batch_size * o.world_size));
  const double rows_per_sequence = std::max(1.0, 0.95 * static_cast<double>(c.context_size) / kSftRowTokens);
  const double sequences = kSftEpochs * kSftPackRows / rows_per_sequence;
  r.sft_steps = static_cast<int64_t>(std::ceil(sequences / static_cast<double>(r.sft_batch_size * r.sft_grad_accum_steps * o.world_size)));
  r.sft_lr_warmup_steps = std::max<int64_t>(1, r.sft_steps / 10);
  r.sft_learning_rate = two_digits(r.base_learning_rate / 10);
  r.sft_sampling = "category_sqrt";
  r.sft_packing = "bos_bestfit";
  r.precision = "bf16";
  r.matmul_precision = "high";
  r.attn_backend = o.attn_backend;
  r.torch_compile = true;
  r.eval_max_new_tokens = 120;
  r.long_run_gate_profile = o.long_run_gate_profile;
}

// Recomputes activations first, then cuts micro-batches; the step stays the same.
void make_fit(Plan& plan, double limit) {
  auto need = [&] { return static_cast<double>((plan.memory = estimate_memory(plan.run, plan.config, "cuda")).total()); };
  if (need() <= limit) {
    plan.fits = true;
    return;
  }
  plan.run.gradient_checkpointing = true;
  plan.changes.push_back("gradient checkpointing is on: activations did not fit");
  const int64_t asked = plan.run.base_batch_size;
  while (need() > limit && plan.run.base_batch_size > 1 && plan.run.base_batch_size % 2 == 0) {
    plan.run.base_batch_size /= 2;
    plan.run.base_grad_accum_steps *= 2;
    plan.run.sft_batch_size = std::min(plan.run.sft_batch_size, plan.run.base_batch_size);
  }
  if (plan.run.base_batch_size != asked)
    plan.changes.push_back(cat("micro-batch ", plan.run.base_batch_size, " instead of ", asked, ", with more accumulation: the step is the same"));
  plan.fits = need() <= limit;
}

// The fields that differ from the program's defaults, as a preset holds them.
Json preset_values(const RunOptions& run) {
  const Json chosen = run_options().to_json(run), defaults = run_options().to_json(RunOptions{});
  static const std::vector<std::string> derived{"base_grad_accum_steps"};  // follows from base_sequences_per_step
  Json values = Json::object();
  for (const auto& [key, value] : chosen.items())
    if (value != defaults.at(key) && std::find(derived.begin(), derived.end(), key) == derived.end()) values[key] = value;
  return values;
}

std::string flags_of(const Json& values) {
  std::string out;
  for (const auto& [key, value] : values.items()) {
    const auto* field = run_options().find(key);
    if (value.is_boolean()) out += cat(" \\\n    ", value.get<bool>() ? field->flag() : field->no_flag());
    else out += cat(" \\\n    ", field->flag(), " ", value.is_string() ? value.get<std::string>() : value.dump());
  }
  return out;
}

std::string word_for(const std::string& text) {
  return text.find_first_of(" '\"$\\`!*?()<>|&;#~") == std::string::npos ? text : cat("'", base::replace_all(text, "'", "'\\''"), "'");
}

std::vector<std::string> commands(const ScalePlanOptions& o, const std::string& name, const Json& values) {
  const std::string pack = word_for(o.dataset_pack.value_or("runs/my-pack/dataset_pack.json"));
  std::string plan = cat("run tiny --dataset-pack ", pack, " --out-dir runs/", name, " --device cuda");
  if (o.gpu_hourly_usd) plan += cat(" --gpu-hourly-usd ", *o.gpu_hourly_usd);
  if (o.out) {
    const std::string folder = base::Path(*o.out).parent_path().string();
    plan += cat(" --presets-dir ", word_for(folder.empty() ? "." : folder), " --scale ", name);
  } else {
    plan += flags_of(values);
  }
  const std::string launcher = o.world_size > 1 ? cat("picochat launch --nproc-per-node ", o.world_size, " -- ") : "picochat ";
  return {cat("picochat ", plan, " --preflight-only"), launcher + plan};
}

// "plan-350m", "plan-1p1b-ddp8"
std::string default_name(const ScalePlanOptions& o) {
  std::string count = base::lower_ascii(base::short_count(static_cast<double>(parse_count(o.target_params, "--target-params"))));
  count = base::replace_all(base::replace_all(count, ".0", ""), ".", "p");
  return cat("plan-", count, o.world_size > 1 ? cat("-ddp", o.world_size) : "");
}

Json json_of(const ModelConfig& c) {
  return {{"n_layer", c.n_layer}, {"n_embd", c.n_embd}, {"n_head", c.n_head}, {"n_kv_head", c.n_kv_head}, {"head_dim", c.head_dim()},
          {"ffn_dim", c.ffn_dim()}, {"parameters", c.parameter_count()},
          {"aspect_ratio", static_cast<double>(c.n_embd) / static_cast<double>(c.n_layer)}};
}

std::string text_of(const Json& p) {
  auto count = [&](const Json& value) { return grouped(value.get<int64_t>()); };
  const Json &m = p.at("model"), &b = p.at("budget"), &mem = p.at("memory"), &t = p.at("time");
  std::string out = cat("scale plan ", p.at("name").get<std::string>(), ": ", p.at("status").get<std::string>(), "\n");
  auto line = [&](const char* name, const std::string& value) { out += cat("  ", base::padded(name, 22), value, "\n"); };
  line("parameters", cat(count(m.at("parameters")), " (", fixed(100 * p.at("miss").get<double>(), 1), "% from the target)"));
  line("shape", cat(count(m.at("n_layer")), " layers, width ", count(m.at("n_embd")), ", ", count(m.at("n_head")), " heads of ", count(m.at("head_dim")), " on ",
                    count(m.at("n_kv_head")), " key/value heads, SwiGLU ", count(m.at("ffn_dim"))));
  line("target tokens", cat(count(b.at("target_training_tokens")), " at ", fixed(b.at("target_param_data_ratio").get<double>(), 1), " per parameter"));
  line("base steps", cat(count(p.at("base_steps")), " of ", count(b.at("base_effective_batch_size")), " sequences = ", count(b.at("base_effective_tokens_per_step")), " tokens"));
  line("corpus", p.at("corpus").at("message").get<std::string>());
  line("memory per GPU", cat(fixed(mem.at("need_gib").get<double>(), 1), " of ", fixed(mem.at("device_gib").get<double>(), 1), " GiB (",
                             mem.at("gpu").get<std::string>(), "; an upper estimate from the shape)"));
  line("disk", cat(base::human_bytes(p.at("disk_bytes").get<uint64_t>()), " for token shards and checkpoints"));
  std::string time = cat(base::human_seconds(t.at("seconds").get<double>()), " at ", count(t.at("tokens_per_second")), " tokens/s (", t.at("basis").get<std::string>(), ")");
  if (!t.at("usd").is_null()) time += cat(", ", fixed(t.at("usd").get<double>(), 2), " USD");
  line("time", time);
  for (const auto& note : p.at("notes")) line("note", note.get<std::string>());
  out += "\nother shapes\n";
  for (const auto& other : p.at("alternatives"))
    out += cat("  ", count(other.at("n_layer")), " x ", count(other.at("n_embd")), ", ", count(other.at("n_head")), ":", count(other.at("n_kv_head")), " heads of ",
               count(other.at("head_dim")), ", ", count(other.at("parameters")), " parameters\n");
  out += cat("\n# is it worth its money?\n", p.at("commands").at(0).get<std::string>(), "\n\n# train\n", p.at("commands").at(1).get<std::string>(), "\n");
  return out;
}

Json corpus_json(const ScalePlanOptions& o, const Budget& b) {
  const double target = static_cast<double>(b.target_training_tokens);
  Json out{{"fewest_tokens", static_cast<int64_t>(std::ceil(target / kMostEpochs))}, {"dataset_tokens", nullptr}, {"epochs", nullptr}};
  if (!o.dataset_tokens) {
    out["status"] = "not_measured";
    out["message"] = cat("at least ", grouped(out["fewest_tokens"].get<int64_t>()), " tokens (12 epochs); ", grouped(b.target_training_tokens), " for one epoch");
    return out;
  }
  const int64_t tokens = parse_count(*o.dataset_tokens, "--dataset-tokens");
  const double epochs = target / static_cast<double>(tokens);
  out["dataset_tokens"] = tokens;
  out["epochs"] = epochs;
  out["status"] = epochs > kMostEpochs ? "too_small" : "enough";
  out["message"] = cat(grouped(tokens), " tokens, seen ", fixed(epochs, 2), " times",
                       epochs > kMostEpochs ? cat(": too few, ", grouped(out["fewest_tokens"].get<int64_t>()), " or more are wanted")
                       : epochs < kFewestEpochs ? "; part of it is never seen" : "");
  return out;
}

void write_plan(base::FileSystem& files, const ScalePlanOptions& o, const Json& preset, const std::string& text) {
  const base::Path path = *o.out, twin = base::Path(*o.out).replace_extension(".md");
  if (path.extension() != ".json")
    throw base::usage_error({.what = "a preset is a JSON file", .where = "--out", .expected = "a name that ends in .json", .found = path.string()});
  for (const auto& existing : {path, twin})
    if (std::filesystem::exists(existing) && !o.force)
      throw base::bad_input({.what = "the file exists", .where = existing.string(), .remedy = "--force overwrites it; --out names another"});
  if (path.has_parent_path()) files.make_directories(path.parent_path());
  base::write_file(files, path, base::dump(preset) + "\n");
  base::write_file(files, twin, cat("# ", preset.at("label").get<std::string>(), "\n\n```\n", text, "```\n"));
}

}  // namespace

std::span<const Gpu> known_gpus() { return kGpus; }

double preset_learning_rate(double parameters) {
  // Through 4e-4 at 15.5M and 1e-4 at 1.12B, where 107M gets 2e-4 within 6%; two digits, as one would write it.
  const double raw = 4e-4 * std::pow(15.5e6 / std::max(parameters, 1e6), std::log(4.0) / std::log(1.12e9 / 15.5e6));
  return two_digits(std::min(raw, 1e-3));
}

const base::OptionTable<ScalePlanOptions>& scale_plan_options() {
  static const auto table = [] {
    using O = ScalePlanOptions;
    base::OptionTable<O> t;
    t.add("target_params", &O::target_params, "parameters to aim at").must().metavar = "COUNT (100m, 1.1b)";
    t.add("dataset_tokens", &O::dataset_tokens, "tokens that the corpus holds").metavar = "COUNT";
    t.add("gpu", &O::gpu, "the GPU that will train").choose({"a100", "h100", "h200", "b200"});
    t.add("world_size", &O::world_size, "number of GPUs").at_least(1);
    t.add("gpu_hourly_usd", &O::gpu_hourly_usd, "price of one GPU for one hour").more_than(0);
    t.add("context_size", &O::context_size, "tokens of a sequence").at_least(64);
    t.add("vocab_size", &O::vocab_size, "tokens of the vocabulary").at_least(512);
    t.add("depth", &O::depth, "layers (default: chosen)").at_least(1);
    t.add("aspect_ratio", &O::aspect_ratio, "wished width over layers").more_than(0);
    t.add("head_dim", &O::head_dim, "width of a head, 64 or 128 (default: 64, from width 1536 on 128)").at_least(64).at_most(128);
    t.add("per_device_batch_size", &O::per_device_batch_size, "sequences of a micro-batch").at_least(1);
    t.add("grad_accum_steps", &O::grad_accum_steps, "micro-batches of a step").at_least(1);
    t.add("target_param_data_ratio", &O::target_param_data_ratio, "tokens per parameter").at_least(1);
    t.add("attn_backend", &O::attn_backend, "attention kernels").choose({"auto", "flash", "cudnn", "fa3", "efficient"});
    t.add("long_run_gate_profile", &O::long_run_gate_profile, "what the run is to be judged by").choose({"research", "first_release", "skill_release"});
    t.add("dataset_pack", &O::dataset_pack, "the pack that the printed commands name").alias("--pack").metavar = "PACK";
    t.add("name", &O::name, "name of the preset").metavar = "NAME";
    t.add("out", &O::out, "write the plan as a preset file, with a Markdown twin beside it").metavar = "FILE.json";
    t.add("force", &O::force, "overwrite the files of --out");
    t.add("json", &O::json, "print the plan as JSON");
    return t;
  }();
  return table;
}

base::CommandOutput scale_plan(base::FileSystem& files, const ScalePlanOptions& o) {
  if (o.head_dim && *o.head_dim != 64 && *o.head_dim != 128)
    throw base::usage_error({.what = "head width", .where = "--head-dim", .expected = "64 or 128, the widths that attention kernels are made for", .found = cat(*o.head_dim)});
  const auto shapes = scale_shapes(o);
  if (shapes.empty())
    throw base::usage_error({.what = "no shape comes within a quarter of that size", .where = "--target-params", .found = o.target_params,
                             .remedy = o.depth ? "leave --depth out, or choose another" : "choose another --vocab-size or --aspect-ratio, or a --scale of the CPU presets for small models"});
  const Gpu& gpu = gpu_of(o);
  Plan plan;
  plan.config = shapes.front().config;
  set_shape(plan.run, plan.config);
  set_training(plan.run, o, plan.config);
  make_fit(plan, kUsableMemory * gpu.memory_gib * (int64_t{1} << 30));
  BudgetInputs inputs;
  if (o.dataset_tokens) inputs.corpus_tokens = parse_count(*o.dataset_tokens, "--dataset-tokens");
  plan.budget = compute_budget(plan.run, inputs);
  if (!inputs.corpus_tokens) plan.budget.estimated_corpus_tokens = plan.budget.target_training_tokens;  // for the disk: one epoch

  const std::string name = o.name.value_or(default_name(o));
  const Json values = preset_values(plan.run);
  const Json preset{{"name", name}, {"label", cat("Scale plan ", name)},
                    {"description", cat(base::short_count(static_cast<double>(plan.config.parameter_count())), " parameters on ", o.world_size, " ", gpu.label, ", about ",
                                        base::short_count(static_cast<double>(plan.budget.base_planned_tokens)), " tokens; made by `scale plan`.")},
                    {"values", values}};
  const double rate = *peak_flops(gpu.label) * kAssumedUtilisation * static_cast<double>(o.world_size) / plan.budget.flops_per_token;
  const double seconds = static_cast<double>(plan.budget.base_planned_tokens) / rate;
  Json notes = Json::array();
  for (const auto& change : plan.changes) notes.push_back(change);
  if (!plan.fits) notes.push_back("it does not fit the GPU even so: choose a larger one, fewer parameters or a shorter context");
  if (o.vocab_size % 64) notes.push_back("a vocabulary that is a multiple of 64 suits the matrix units");
  if (o.target_param_data_ratio < 20 && o.long_run_gate_profile != "research") notes.push_back("a release profile blocks below 20 tokens per parameter");
  notes.push_back(cat("learning rate ", plan.run.base_learning_rate, " follows this project's presets by size; sweep it when the run is large"));
  Json alternatives = Json::array();
  for (size_t i = 1; i < shapes.size() && i <= 3; ++i) alternatives.push_back(json_of(shapes[i].config));
  const Json corpus = corpus_json(o, plan.budget);
  const double gib = 1.0 / static_cast<double>(int64_t{1} << 30);
  Json out{{"status", !plan.fits ? "does_not_fit" : corpus.at("status") == "too_small" ? "corpus_too_small" : "ready"},
           {"name", name},
           {"target_params", parse_count(o.target_params, "--target-params")},
           {"miss", shapes.front().miss},
           {"model", json_of(plan.config)},
           {"base_steps", plan.run.base_steps},
           {"budget", to_json(plan.budget)},
           {"corpus", corpus},
           {"memory", {{"gpu", gpu.label}, {"device_gib", gpu.memory_gib}, {"need_gib", static_cast<double>(plan.memory.total()) * gib},
                       {"parameters_gib", static_cast<double>(plan.memory.parameters_bytes) * gib}, {"gradients_gib", static_cast<double>(plan.memory.gradients_bytes) * gib},
                       {"optimizer_gib", static_cast<double>(plan.memory.optimizer_bytes) * gib}, {"activations_gib", static_cast<double>(plan.memory.activations_bytes) * gib},
                       {"fits", plan.fits}}},
           {"disk_bytes", estimate_disk_bytes(plan.run, plan.budget)},
           {"time", {{"seconds", seconds}, {"tokens_per_second", static_cast<int64_t>(rate)}, {"basis", cat("table: ", fixed(100 * kAssumedUtilisation, 0), "% of the data sheet's peak; a dry run measures it")},
                     {"usd", o.gpu_hourly_usd ? Json(seconds / 3600 * *o.gpu_hourly_usd * static_cast<double>(o.world_size)) : Json(nullptr)}}},
           {"notes", notes},
           {"alternatives", alternatives},
           {"preset", preset},
           {"commands", commands(o, name, values)}};
  std::string text = text_of(out);
  if (o.out) {
    write_plan(files, o, preset, text);
    text += cat("\npreset: ", *o.out, "\n");
  }
  return {out, text};
}

}  // namespace picochat::gate
