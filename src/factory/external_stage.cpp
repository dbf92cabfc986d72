#include "external_stage.hpp"

#include <algorithm>
#include <set>

#include "picochat/base/artifact.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/external.hpp"
#include "picochat/evidence/run_files.hpp"
#include "picochat/evidence/run_summary.hpp"

namespace picochat::factory {

using base::cat;
using base::Json;
using base::Path;

std::string benchmark_slug(const std::string& name) {
  std::string slug;
  for (char c : base::lower_ascii(name)) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (plain) slug += c;
    else if (!slug.empty() && slug.back() != '-') slug += '-';
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "benchmark" : slug;
}

std::vector<tasks::NamedBenchmark> parse_benchmarks(const std::vector<std::string>& given) {
  std::vector<tasks::NamedBenchmark> benchmarks;
  std::set<std::string> slugs;
  for (const auto& text : given) {
    benchmarks.push_back(tasks::parse_named_benchmark(text, "--external-eval"));
    if (!slugs.insert(benchmark_slug(benchmarks.back().name)).second)
      throw base::usage_error({.what = "two benchmarks share a name", .where = "--external-eval", .found = text, .remedy = "give each its own NAME=PATH"});
  }
  return benchmarks;
}

namespace {

// Lines of the benchmark that were found in the training material; absent when nobody looked.
std::optional<std::set<int64_t>> flagged_lines(const Json& honesty_report, const std::string& name) {
  if (!honesty_report.is_object() || !honesty_report.contains("external")) return {};
  for (const auto& external : honesty_report.at("external")) {
    if (external.value("name", std::string()) != name || !external.contains("flagged_lines")) continue;
    std::set<int64_t> lines;
    for (const auto& line : external.at("flagged_lines")) lines.insert(line.get<int64_t>());
    return lines;
  }
  return {};
}

bool is_current(const Path& report, const Json& wanted) {
  if (!std::filesystem::exists(report)) return false;
  try {
    const Json found = base::read_json(report);
    return found.value("made_from", Json(nullptr)) == wanted;
  } catch (const base::Error&) {
    return false;  // damaged: scored again
  }
}

// What `eval fetch` wrote beside the file, when the file is still the one that was fetched.
Json recorded_source(const Path& benchmark, const Json& digest) {
  const Path beside = benchmark.string() + ".source.json";
  if (!std::filesystem::is_regular_file(beside)) return nullptr;
  Json source = base::read_json(beside);
  return source.is_object() && source.contains("sha256") && source.at("sha256") == digest ? source : Json(nullptr);
}

}  // namespace

void score_benchmarks(base::FileSystem& files, const Path& run_dir, const std::vector<tasks::NamedBenchmark>& benchmarks, const Json& honesty_report, int64_t seed,
                      const model::TransformerOptions& compute) {
  std::optional<eval::LanguageModel> model;
  const std::string checkpoint = evidence::aligned_checkpoint(run_dir);
  for (const auto& benchmark : benchmarks) {
    const auto flagged = flagged_lines(honesty_report, benchmark.name);
    const Path folder = run_dir / "external_eval" / benchmark_slug(benchmark.name);
    const Json made_from{{"checkpoint", base::artifact_digest(run_dir / checkpoint).hex()}, {"tokenizer", base::sha256_file(run_dir / "tokenizer.json").hex()},
                         {"input", base::sha256_file(benchmark.path).hex()}, {"flagged", flagged ? Json(*flagged) : Json(nullptr)}};
    if (is_current(folder / "eval_report.json", made_from)) {
      base::say(cat("external: ", benchmark.name, ": unchanged, reused"));
      continue;
    }
    if (!model) {
      model = eval::load_language_model(run_dir / checkpoint, run_dir / "tokenizer.json", compute);
      // Reports name files relative to the run, so that they are equal wherever it lies.
      model->checkpoint_identity["path"] = checkpoint;
      model->tokenizer_identity["path"] = "tokenizer.json";
    }
    const Json input{{"path", benchmark.path.filename().string()}, {"sha256", made_from.at("input")}, {"source", recorded_source(benchmark.path, made_from.at("input"))}};
    eval::ExternalEvalOptions options;
    options.benchmark_name = benchmark.name;
    options.seed = seed;
    Json report = eval::eval_external(options, tasks::read_benchmark(benchmark.path), input, *model, flagged);
    report["made_from"] = made_from;
    eval::write_external_report(files, folder, report, benchmark.name);
    const Json& summary = report.at("summary");
    base::say(cat("external: ", benchmark.name, ": ", summary.at("primary_metric").get<std::string>(), " ", base::fixed(100 * summary.at("pass_rate").get<double>(), 1), "% of ",
                  summary.at("num_examples").get<int64_t>(), " rows, guessing ", base::fixed(100 * summary.at("choice_random_baseline").get<double>(), 1), "%"));
  }
}

Json external_summaries(const Path& run_dir) {
  Json list = Json::array();
  const Path folder = run_dir / "external_eval";
  if (!std::filesystem::is_directory(folder)) return list;
  std::vector<Path> reports;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (std::filesystem::exists(entry.path() / "eval_report.json")) reports.push_back(entry.path() / "eval_report.json");
  std::sort(reports.begin(), reports.end());
  for (const auto& path : reports) {
    const Json report = base::read_json(path);
    list.push_back({{"name", report.at("config").at("benchmark_name")}, {"input_path", report.at("input").at("path")}, {"input_sha256", report.at("input").at("sha256")}, {"source", report.at("input").value("source", Json(nullptr))}, {"summary", report.at("summary")},
                    {"contamination", report.value("contamination", Json(nullptr))}, {"artifacts", {{"eval_report", evidence::artifact(run_dir, path)}}}});
  }
  return list;
}

}  // namespace picochat::factory
