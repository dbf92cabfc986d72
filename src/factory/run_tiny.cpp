#include "picochat/factory/run_tiny.hpp"

#include <algorithm>

#include "external_stage.hpp"
#include "micro_batch.hpp"
#include "picochat/base/build_info.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/source_record.hpp"
#include "picochat/eval/summary.hpp"
#include "picochat/evidence/run_files.hpp"
#include "picochat/evidence/run_summary.hpp"
#include "picochat/gate/release_gate.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/tasks/inspect.hpp"
#include "picochat/tasks/preferences.hpp"
#include "picochat/tasks/task_pack.hpp"
#include "availability.hpp"
#include "earlier_runs.hpp"
#include "mirror.hpp"
#include "multi_seed.hpp"
#include "preflight_facts.hpp"
#include "run_context.hpp"

namespace picochat::factory {
namespace {

using base::cat;

constexpr const char* kRunFile = "run.json";
constexpr int64_t kDefaultSftRows = 1600, kDefaultEvalRows = 320;

corpus::CorpusOptions corpus_options(const gate::RunOptions& options) {
  if (!options.dataset_pack && !options.corpus_input && !options.corpus_recipe)
    throw base::usage_error({.what = "there is no text to train on", .where = "run tiny",
                             .expected = "--dataset-pack PACK, --corpus-input FILE_OR_FOLDER or --corpus-recipe RECIPE",
                             .remedy = "try --dataset-pack examples/demo/dataset_pack.json"});
  auto path = [](const std::optional<std::string>& text) { return text ? std::optional<Path>(*text) : std::nullopt; };
  return {.input = path(options.corpus_input), .recipe = path(options.corpus_recipe), .pack = path(options.dataset_pack), .min_score = options.min_score};
}

// Only a run's own directory, or one that does not exist or is empty, is written to.
void claim_directory(base::FileSystem& files, const Path& dir) {
  files.make_directories(dir);
  if (std::filesystem::exists(dir / kRunFile)) return;
  for (const auto& entry : std::filesystem::directory_iterator(dir))
    if (entry.path().filename() != ".lock")
      throw base::bad_input({.what = "the output folder holds something else than a run", .where = dir.string(), .found = entry.path().filename().string(),
                             .remedy = "choose a new or empty --out-dir"});
}

void check_resume_flag(const std::optional<std::string>& flag, const char* name, const Path& own) {
  if (!flag) return;
  const Path given(*flag);
  const bool inside = std::filesystem::weakly_canonical(given).string().starts_with(std::filesystem::weakly_canonical(own).string());
  if (!inside)
    throw base::usage_error({.what = cat(name, " points outside this run"), .where = *flag, .expected = own.string(),
                             .remedy = "a run goes on by itself: give the same command with the same --out-dir"});
}

void discard_fresh(RunContext& run) {
  for (const auto& stage : run.options().fresh) {
    auto from = std::find(kStages.begin(), kStages.end(), stage == "all" ? kStages.front() : stage);
    if (from == kStages.end())
      throw base::usage_error({.what = "--fresh names no stage", .where = "--fresh", .expected = cat("all or one of ", base::join(kStages, ", ")), .found = stage});
    for (; from != kStages.end(); ++from) {
      if (run.cache.state(*from) != StageCache::State::kAbsent) base::say(cat("--fresh ", stage, ": ", *from, " is done again"));
      run.cache.forget(*from);
      if (*from == "base")
        for (const char* part : {"checkpoint", "last_checkpoint", "ema_checkpoint", "resume_checkpoint", "best"}) train::clear_stage(run.files, run.at(cat("base/", part)));
      if (*from == "sft" || *from == "dpo") train::clear_stage(run.files, run.at(*from));
    }
  }
}

// The pack's chat and eval files, the flags', or rows of the built-in generator.
void find_rows(RunContext& run) {
  const auto& options = run.options();
  if (const auto& pack = run.corpus.pack()) {
    corpus::check_pack_files(*pack);
    run.chat_input = pack->chat;
    run.eval_input = pack->eval;
    return;
  }
  if (options.chat_input.has_value() != options.eval_input.has_value())
    throw base::usage_error({.what = "chat and eval rows come together", .where = options.chat_input ? "--chat-input" : "--eval-input",
                             .remedy = "give both files, or neither to use the built-in release_skills rows"});
  if (options.chat_input) {
    run.chat_input = *options.chat_input;
    run.eval_input = *options.eval_input;
    return;
  }
  run.chat_input = run.at("tasks/chat.jsonl");
  run.eval_input = run.at("tasks/eval.jsonl");
  const auto pack = tasks::generate_pack("release_skills", kDefaultSftRows, kDefaultEvalRows, "scratchpad", static_cast<uint64_t>(options.seed));
  base::write_file(run.files, run.chat_input, tasks::to_jsonl(pack.chat));
  base::write_file(run.files, run.eval_input, tasks::to_jsonl(pack.eval));
  base::say(cat("no chat and eval rows were given: ", pack.chat.size(), " + ", pack.eval.size(), " built-in release_skills rows are used (tasks/ in the run)"));
}

void write_run_file(RunContext& run) {
  const Json manifest{{"program", "picochat"}, {"kind", "run"}, {"format", 1}, {"command", run.command}, {"options", gate::provenance_json(run.resolved)},
                      {"build", base::build_info_json()}, {"instruction_level", model::instruction_level()}, {"timing", {{"started_at", base::utc_timestamp()}, {"host", host_identity()}, {"device", run.options().preflight_only && run.options().device == "cuda" ? "cuda" : run.compute.device}}}};
  base::write_file(run.files, run.at(kRunFile), base::dump(manifest) + "\n");
}

void stop_if_blocked(const RunContext& run) {
  const auto& options = run.options();
  if (run.preflight.blocked() && !options.allow_unsafe_long_run)
    throw base::blocked({.what = cat("preflight ", run.preflight.summary), .where = run.at("preflight.md").string(),
                         .remedy = "follow the remedies above; --allow-unsafe-long-run trains all the same, and the release gate will block"});
  if (run.honesty_report.at("status") == "blocked" && !options.allow_leaky_eval)
    throw base::blocked({.what = "the training material holds eval rows", .where = run.at("honesty/report.md").string(),
                         .remedy = "remove the rows that the report names; --allow-leaky-eval trains all the same, and the release gate will block"});
}

Json relative(const RunContext& run, const std::string& path) { return evidence::artifact(run.dir, run.at(path)); }

Json summarize_run(RunContext& run, const gate::GateVerdict& verdict, double seconds) {
  auto& facts = run.summary;
  facts.config = gate::run_options().to_json(run.options());
  facts.config.erase("out_dir");
  facts.config["resolved_device"] = run.compute.device;
  facts.config["base_effective_learning_rate"] = run.preflight.budget.base_effective_learning_rate;
  facts.config["sft_effective_learning_rate"] = run.preflight.budget.sft_effective_learning_rate;
  facts.corpus = run.corpus_manifest.at("stats");
  facts.corpus["sources"] = corpus::source_records_json(corpus::source_records(run.corpus, run.corpus_manifest));
  facts.preflight = gate::to_json(run.preflight);
  facts.honesty = run.honesty_report;
  facts.tokenizer = {{"tokenizer_type", run.tokenizer->type()}, {"vocab_size", run.tokenizer->vocab_size()}, {"num_special_tokens", tokenizer::kSpecialTokens},
                     {"num_text_tokens", run.tokenizer->vocab_size() - tokenizer::kSpecialTokens}};
  facts.base_report = run.base_report;
  facts.sft_report = run.sft_report;
  facts.dpo_report = run.dpo_report;
  auto parts = [](const Json& report, Json& summary, Json& dataset, Json& analysis) {
    summary = report.at("summary");
    dataset = report.at("input");
    analysis = report.at("analysis");
  };
  Json unused;
  parts(run.sft_fit, facts.sft_fit, facts.sft_fit_dataset, facts.sft_fit_analysis);
  parts(run.sft_fit_heldout, facts.sft_fit_heldout, facts.sft_fit_heldout_dataset, facts.sft_fit_heldout_analysis);
  parts(run.eval, facts.eval, unused, facts.eval_analysis);
  facts.eval_generations = run.eval.at("generations");
  facts.external_evals = external_summaries(run.dir);
  facts.long_run_gate = gate::to_json(verdict);
  for (const auto& [name, path] : std::initializer_list<std::pair<const char*, const char*>>{
           {"run", "run.json"}, {"corpus_manifest", "corpus_manifest.json"}, {"corpus_report", "corpus_report.md"}, {"preflight_json", "preflight.json"},
           {"preflight_report", "preflight.md"}, {"honesty_json", "honesty/honesty_report.json"}, {"honesty_report", "honesty/report.md"},
           {"tokenizer", "tokenizer.json"}, {"token_shards", "base/token_shards"}, {"base_report", "base/train_report.json"}, {"base_curves", "base/curves.svg"},
           {"base_eval_checkpoint", "base/checkpoint"}, {"base_ema_checkpoint", "base/ema_checkpoint"}, {"base_last_checkpoint", "base/last_checkpoint"},
           {"sft_report", "sft/sft_report.json"}, {"sft_curves", "sft/curves.svg"}, {"sft_eval_checkpoint", "sft/checkpoint"}, {"sft_ema_checkpoint", "sft/ema_checkpoint"},
           {"sft_last_checkpoint", "sft/last_checkpoint"}, {"sft_fit_report", "sft_fit/eval_report.json"},
           {"sft_fit_heldout_report", "sft_fit_heldout/eval_report.json"}, {"eval_report", "eval/eval_report.json"}, {"eval_report_md", "eval/report.md"},
           {"inputs", "inputs/inputs.json"}, {"gate", "gate/gate.json"}, {"gate_report", "gate/gate.md"}, {"gate_evidence", "gate/gate_evidence.json"}, {"metrics", "metrics.jsonl"}})
    facts.artifacts[name] = relative(run, path);
  facts.artifacts["aligned_eval_checkpoint"] = relative(run, evidence::aligned_checkpoint(run.dir));
  if (!run.dpo_report.is_null())
    for (const auto& [name, path] : std::initializer_list<std::pair<const char*, const char*>>{{"dpo_report", "dpo/dpo_report.json"}, {"dpo_curves", "dpo/curves.svg"}, {"dpo_best_checkpoint", "dpo/checkpoint"},
                                                                                            {"dpo_last_checkpoint", "dpo/last_checkpoint"}, {"preferences", "inputs/preferences.jsonl"}})
      facts.artifacts[name] = relative(run, path);
  facts.total_seconds = seconds;
  facts.build = base::build_info_json();
  facts.command = run.command;
  return evidence::build_summary(facts);
}

RunOutcome preflight_outcome(const RunContext& run) {
  return {.code = gate::exit_code(run.preflight), .status = run.preflight.status, .report = run.at("preflight.md"), .json = gate::to_json(run.preflight)};
}

}  // namespace

namespace {

RunOutcome run_stages(base::FileSystem& files, const gate::ResolvedRunOptions& resolved, const std::string& command, const Compute& compute, const Group& group) {
  const double started = base::monotonic_seconds();
  const auto& options = resolved.options;
  const Path dir = options.out_dir;
  parse_benchmarks(options.external_eval);  // a wrong one is said before anything is read
  auto corpus = corpus::Corpus::open(corpus_options(options));
  claim_directory(files, dir);
  const base::DirectoryLock lock(dir);
  check_resume_flag(options.base_resume_from, "--base-resume-from", dir / "base/resume_checkpoint");
  check_resume_flag(options.sft_resume_from, "--sft-resume-from", dir / "sft/resume_checkpoint");
  model::set_compute_threads(static_cast<int>(options.threads));

  RunContext run{.files = files, .resolved = resolved, .dir = dir, .cache = StageCache(files, dir), .command = command, .group = group, .corpus = std::move(corpus), .compute = compute};
  base::sweep_leftovers(files, dir);
  if (options.mirror) check_mirror(files, *options.mirror, dir);
  write_run_file(run);
  discard_fresh(run);
  find_rows(run);
  if (options.dpo_input) tasks::read_preference_rows(*options.dpo_input);  // a bad row is said before time is spent
  record_inputs(run);

  corpus_stage(run);
  run.chat_report = tasks::inspect_chat_rows(run.chat_input);
  run.eval_report = tasks::inspect_eval_rows(run.eval_input);
  honesty_stage(run);
  measure_token_sample(run);
  judge_preflight_stage(run, false);
  base::say(gate::preflight_table(run.preflight));
  if (options.preflight_only) return preflight_outcome(run);
  stop_if_blocked(run);

  tokenizer_stage(run);
  shards_stage(run);
  judge_preflight_stage(run, true);  // again, with tokens counted instead of estimated
  stop_if_blocked(run);
  base_stage(run);
  sft_stage(run);
  dpo_stage(run);
  eval_stages(run);
  const auto verdict = gate_stage(run);
  const Json summary = summarize_run(run, verdict, base::monotonic_seconds() - started);
  evidence::write_summary(files, dir, summary);
  base::say(evidence::end_of_run_text(summary, dir.string(), eval::category_table(run.eval.at("summary")), eval::generations_text(run.eval.at("generations"))));
  return {.code = gate::exit_code(verdict), .status = verdict.status, .report = run.at("summary.md"), .json = summary};
}

}  // namespace

RunOutcome run_tiny(base::FileSystem& files, const gate::ResolvedRunOptions& given, const std::string& command) {
  gate::ResolvedRunOptions resolved = given;
  auto& options = resolved.options;
  refuse_unbuilt(options, "run tiny");
  if (options.n_seeds > 1) {
    refuse_ranks("run tiny --n-seeds");
    return run_seeds(files, resolved, command);
  }
  Group group;
  Compute compute;
  if (!options.preflight_only) {
    compute = resolve_compute(options);
    const auto precision = resolved.source.find("precision");
    if (compute.device == "cpu") explain_cpu_options(options, precision != resolved.source.end() && precision->second == gate::OptionSource::kFlag, "run tiny");
    group = join_ranks(options, compute, "run tiny");
    settle_micro_batch(options, compute, group.get());
    if (!leads(group)) {
      model::set_compute_threads(static_cast<int>(options.threads));
      follow(files, options, compute, group);
      return {};
    }
  }
  RunOutcome outcome;
  lead(group, [&] {
    outcome = run_stages(files, resolved, command, compute, group);
    return outcome.code;
  });
  return outcome;
}

}  // namespace picochat::factory
