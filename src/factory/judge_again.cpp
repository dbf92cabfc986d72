#include "picochat/factory/judge_again.hpp"

#include "compute.hpp"
#include "external_stage.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/evidence/judge.hpp"
#include "picochat/evidence/run_summary.hpp"
#include "picochat/gate/run_options.hpp"
#include "picochat/honesty/honesty.hpp"

namespace picochat::factory {

using base::cat;
using base::Json;
using base::Path;

const base::OptionTable<JudgeAgainOptions>& judge_again_options() {
  static const auto table = [] {
    base::OptionTable<JudgeAgainOptions> t;
    t.add("run_dir", &JudgeAgainOptions::run_dir, "finished run").must().place();
    t.add("external_eval", &JudgeAgainOptions::external_eval, "score this benchmark first; may be repeated").metavar = "NAME=PATH";
    t.add("profile", &JudgeAgainOptions::profile, "judge under this profile; default: the run's own").choose({"research", "first_release", "skill_release"});
    t.add("json", &JudgeAgainOptions::json, "print the verdict as JSON");
    return t;
  }();
  return table;
}

namespace {

corpus::Corpus corpus_of(const Json& run, const Json& manifest) {
  auto given = [&](const char* name) {
    const Json value = gate::recorded_option(run, name);
    return value.is_string() && !value.get_ref<const std::string&>().empty() ? std::optional<Path>(value.get<std::string>()) : std::nullopt;
  };
  return corpus::Corpus::open({.input = given("corpus_input"), .recipe = given("corpus_recipe"), .pack = given("dataset_pack"), .min_score = manifest.value("min_quality_score", int64_t{0})});
}

// Looks for the benchmarks' rows in what was trained on, and everything else that the stage looks for. Without the
// corpus (another machine) that is said, and the gate counts it as not looked for.
void check_benchmarks(base::FileSystem& files, const Path& dir, const std::vector<tasks::NamedBenchmark>& benchmarks) {
  const Json run = base::read_json(dir / "run.json"), manifest = base::read_json(dir / "corpus_manifest.json");
  try {
    const auto corpus = corpus_of(run, manifest);
    const std::string digest = manifest.at("digest").get<std::string>();
    if (corpus.scan().digest.hex() != digest) throw base::bad_input({.what = "the corpus is no longer the one that was trained on", .where = dir.string()});
    const Json report = honesty::check_honesty({.chat = dir / "inputs/chat.jsonl", .eval = dir / "inputs/eval.jsonl", .external = benchmarks, .corpus = honesty::stream_of(corpus), .corpus_label = digest});
    honesty::write_honesty_report(files, report, dir / "honesty");
  } catch (const base::Error& error) {
    base::warn(cat("the benchmarks were not looked for in the training material: ", error.details().what, " (", error.details().where, ")"));
  }
}

}  // namespace

base::CommandOutput judge_again(base::FileSystem& files, const JudgeAgainOptions& options) {
  const Path dir = options.run_dir;
  if (!std::filesystem::exists(dir / "summary.json"))
    throw base::bad_input({.what = "there is no finished run here", .where = dir.string(), .expected = "a folder with summary.json",
                           .remedy = "run `picochat run tiny` to its end, then judge again"});
  const base::DirectoryLock lock(dir);
  const auto benchmarks = parse_benchmarks(options.external_eval);
  Json summary = base::read_json(dir / "summary.json");
  const std::string where = (dir / "summary.json").string();
  const std::string profile = options.profile ? *options.profile : base::get_string(summary.at("long_run_gate"), "profile", where);
  if (!benchmarks.empty()) {
    for (const auto& benchmark : benchmarks) tasks::read_benchmark(benchmark.path);  // a file that is no benchmark is said first
    check_benchmarks(files, dir, benchmarks);
    summary["honesty"] = base::read_json(dir / "honesty/honesty_report.json");
    score_benchmarks(files, dir, benchmarks, summary.at("honesty"), summary.at("config").value("seed", int64_t{42}), model::resolve_compute({}).options);
    summary["external_evals"] = external_summaries(dir);
  }
  const auto verdict = evidence::judge_run(files, dir, gate::parse_gate_profile(profile, "--profile"));
  summary["long_run_gate"] = gate::to_json(verdict);
  for (const auto& [name, path] : {std::pair{"gate", "gate/gate.json"}, {"gate_report", "gate/gate.md"}, {"gate_evidence", "gate/gate_evidence.json"}, {"honesty_json", "honesty/honesty_report.json"}, {"honesty_report", "honesty/report.md"}})
    summary["artifacts"][name] = evidence::artifact(dir, dir / path);
  evidence::write_summary(files, dir, summary);
  return {gate::to_json(verdict), gate::gate_table(verdict)};
}

}  // namespace picochat::factory
