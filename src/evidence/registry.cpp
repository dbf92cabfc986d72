#include <algorithm>
#include <map>
#include <tuple>

#include "evidence/html.hpp"
#include "evidence/summary_parts.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"
#include "picochat/evidence/required.hpp"
#include "picochat/evidence/run_tables.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;
using Rows = std::vector<std::vector<std::string>>;

int rank(const std::string& status) {
  static const std::vector<std::string> order{"unverified", "ungated", "blocked", "warn", "approved"};
  return static_cast<int>(std::find(order.begin(), order.end(), status) - order.begin());
}

double number_or(const Json& value, double absent) { return value.is_number() ? value.get<double>() : absent; }

Json artifact_path(const RunRecord& run, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const Json path = at(run.summary, {"artifacts", name, "path"}); path.is_string()) return path;
  return nullptr;
}

Json entry_of(const RunRecord& run) {
  const Json& s = run.summary;
  const Json external = at(s, {"external_evals"});
  return {{"run", run.name},
          {"path", run.path},
          {"status", run.status},
          {"problem", run.problem},
          {"gate_profile", at(s, {"long_run_gate", "profile"})},
          {"parameters", at(s, {"base", "num_parameters"})},
          {"planned_tokens", at(s, {"preflight", "budget", "base_planned_tokens"})},
          {"trained_tokens", at(s, {"base", "coverage", "actual_training_tokens"})},
          {"eval_pass_rate", at(s, {"eval", "pass_rate"})},
          {"eval_pass_rate_ci", at(s, {"eval", "pass_rate_ci"})},
          {"sft_fit_rate", at(s, {"sft_fit", "pass_rate"})},
          {"heldout_sft_fit_rate", at(s, {"sft_fit_heldout", "pass_rate"})},
          {"external_benchmark_count", external.is_array() ? external.size() : 0},
          {"honesty_status", at(s, {"honesty", "status"})},
          {"preflight_status", at(s, {"preflight", "status"})},
          {"checkpoint", artifact_path(run, {"aligned_eval_checkpoint", "sft_eval_checkpoint", "base_eval_checkpoint"})},
          {"checkpoint_sha256", at(run.digests, {"checkpoint"})},
          {"tokenizer", artifact_path(run, {"tokenizer"})},
          {"summary", "summary.json"}};
}

Json with_ratio(Json entry) {
  const double parameters = number_or(entry["parameters"], 0), tokens = number_or(entry["trained_tokens"], -1);
  entry["tokens_per_parameter"] = parameters > 0 && tokens >= 0 ? Json(tokens / parameters) : Json(nullptr);
  return entry;
}

// Runs and bundles in a folder; what has not ended yet is said and left out.
std::vector<std::string> runs_in(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error))
    throw base::bad_input({.what = "there is no such folder", .where = folder, .expected = "a folder of runs", .remedy = "give --runs-dir the folder that --out-dir of your runs lies in"});
  std::vector<std::string> found;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    const bool run = item.is_directory() && std::filesystem::exists(item.path() / "run.json");
    if (run && !std::filesystem::exists(item.path() / "summary.json")) base::say(cat(item.path().string(), ": not finished, left out"));
    else if (run || item.path().string().ends_with("-bundle.tgz")) found.push_back(item.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string checked_card(const RunRecord& run, const std::vector<RequiredArtifact>& artifacts) {
  const Json& s = run.summary;
  std::string out = cat("# Release card: ", run.name, "\n\n**", run.status == "unverified" ? cat("UNVERIFIED: ", run.problem) : verdict_sentence(s), ".**\n\n", weakest_sentence(s), "\n\n");
  Rows rows;
  for (const auto& f : headline_figures(s)) rows.push_back({f.name, f.value});
  out += markdown_table({"figure", "value"}, rows);
  rows.clear();
  for (const Json& issue : at(s, {"long_run_gate", "issues"}))
    rows.push_back({text_at(issue, {"severity"}, ""), text_at(issue, {"name"}, ""), text_at(issue, {"message"}, "")});
  out += cat("\n## Findings of the gate\n\n", rows.empty() ? "None.\n" : markdown_table({"severity", "issue", "what"}, rows));
  rows.clear();
  for (const Json& item : at(s, {"external_evals"})) {
    const Json summary = at(item, {"summary"});
    rows.push_back({text_at(item, {"name"}, ""), figure(at(summary, {"num_examples"})), text_at(summary, {"primary_metric"}, ""), percent(at(summary, {"pass_rate"}), at(summary, {"pass_rate_ci"})),
                    percent(at(summary, {"choice_random_baseline"}))});
  }
  out += cat("\n## External benchmarks\n\n", rows.empty() ? "None was scored.\n" : markdown_table({"benchmark", "rows", "metric", "score [interval]", "chance"}, rows, " : ::"));
  rows.clear();
  for (const auto& a : artifacts) rows.push_back({a.name, a.status, a.status == "present" ? base::join(a.files, ", ") : cat(a.problem, "; ", a.remedy)});
  return out + "\n## Evidence\n\nWhat a public model ships with, checked against each other.\n\n" + markdown_table({"artifact", "state", "where, or what is missing"}, rows);
}

}  // namespace

std::string release_card(const RunRecord& run) {
  const auto files = open_run_files(run.path);
  return checked_card(run, required_artifacts(*files, try_replay(*files)));
}

const base::OptionTable<RegistryOptions>& registry_options() {
  static const auto table = [] {
    base::OptionTable<RegistryOptions> t;
    add_run_table_fields(t);
    t.add("runs_dir", &RegistryOptions::runs_dir, "take every finished run and every *-bundle.tgz of this folder").metavar = "DIR";
    t.add("release_card", &RegistryOptions::release_card, "write the release card of the one run that is given").metavar = "FILE.md";
    return t;
  }();
  return table;
}

base::CommandOutput registry(base::FileSystem& files, const RegistryOptions& options) {
  std::vector<std::string> paths = options.runs;
  if (options.runs_dir)
    for (auto& path : runs_in(*options.runs_dir)) paths.push_back(std::move(path));
  if (options.runs_dir && paths.empty())
    throw base::bad_input({.what = "no finished run is here", .where = *options.runs_dir, .remedy = "finish a run, or give another folder"});
  const auto runs = read_run_records(paths);
  if (options.release_card) {
    if (runs.size() != 1)
      throw base::usage_error({.what = "a release card is of one run", .where = "--release-card", .expected = "exactly one run", .found = cat(runs.size(), " runs")});
    base::write_file(files, *options.release_card, release_card(runs[0]));
  }
  std::vector<Json> entries;
  for (const auto& run : runs) entries.push_back(with_ratio(entry_of(run)));
  auto key = [](const Json& e) { return std::tuple(-rank(e["status"]), -number_or(e["eval_pass_rate"], -1), -number_or(e["sft_fit_rate"], -1)); };
  std::stable_sort(entries.begin(), entries.end(), [&](const Json& a, const Json& b) { return key(a) < key(b); });
  Rows rows;
  std::map<std::string, int64_t> status_counts;
  for (const Json& e : entries) {
    const std::string status = e["status"];
    ++status_counts[status];
    rows.push_back({e["run"], status, figure(e["gate_profile"]), figure(e["parameters"]), figure(e["tokens_per_parameter"], 1), percent(e["eval_pass_rate"], e["eval_pass_rate_ci"]),
                    percent(e["sft_fit_rate"]), percent(e["heldout_sft_fit_rate"]), figure(e["external_benchmark_count"]), figure(e["honesty_status"]), figure(e["preflight_status"]), e["path"]});
  }
  const bool any = rank(entries[0]["status"]) > rank("unverified");
  RunTable out{.title = "Runs", .json = {{"entries", entries}, {"status_counts", status_counts}}, .markdown = {}, .html = {}};
  out.json["best_run"] = any ? entries[0]["run"] : Json(nullptr);
  out.json["best_eval_pass_rate"] = any ? entries[0]["eval_pass_rate"] : Json(nullptr);
  const std::vector<std::string> header{"run", "verdict", "profile", "parameters", "tokens per parameter", "eval [interval]", "SFT fit", "held-out fit", "benchmarks", "honesty", "preflight", "path"};
  std::string foot = any ? cat("First by verdict, then by eval, then by fit: ", entries[0]["run"].get<std::string>(), ". Evals of different files are not comparable.") : "No run is verified.";
  for (const auto& run : runs)
    if (!run.problem.empty()) foot += cat("\n\n", run.name, " is unverified: ", run.problem);
  out.markdown = cat(markdown_table(header, rows, "   :::::"), "\n", foot, "\n");
  out.html = html::table(header, rows) + html::element("p", foot, "soft");
  return publish_table(files, options, out);
}

}  // namespace picochat::evidence
