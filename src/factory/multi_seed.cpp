#include "multi_seed.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "picochat/base/build_info.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"
#include "run_context.hpp"

namespace picochat::factory {
namespace {

using base::cat;
using evidence::at;
using evidence::figure;
using evidence::percent;

void claim_directory(base::FileSystem& files, const Path& dir, const gate::RunOptions& options) {
  files.make_directories(dir);
  if (std::filesystem::exists(dir / kSeedsFile)) {
    const auto first = base::get_int(base::read_json(dir / kSeedsFile), "first_seed", (dir / kSeedsFile).string());
    if (first != options.seed)
      throw base::bad_input({.what = "this folder holds runs that begin with another seed", .where = dir.string(), .expected = cat("--seed ", first), .found = cat("--seed ", options.seed),
                             .remedy = "give that seed, or another --out-dir"});
  } else if (!std::filesystem::is_empty(dir)) {
    throw base::bad_input({.what = "the output folder holds something else than a run of several seeds", .where = dir.string(), .remedy = "choose a new or empty --out-dir"});
  }
  base::write_file(files, dir / kSeedsFile, base::dump(Json{{"kind", "multi_seed_tiny"}, {"first_seed", options.seed}, {"n_seeds", options.n_seeds}}) + "\n");
}

struct Metric {
  const char *name, *part, *key;
  bool rate;
};
constexpr std::array<Metric, 7> kMetrics{{{"eval_pass_rate", "eval", "pass_rate", true},
                                          {"eval_non_choice_pass_rate", "eval", "non_choice_pass_rate", true},
                                          {"sft_fit_rate", "sft_fit", "pass_rate", true},
                                          {"base_val_bpb", "base", "best_val_bpb", false},
                                          {"sft_val_bpb", "sft", "best_val_bpb", false},
                                          {"base_val_loss", "base", "best_val_loss", false},
                                          {"sft_val_loss", "sft", "best_val_loss", false}}};

Json seed_entry(int64_t seed, const std::string& folder, const Json& summary) {
  Json entry{{"seed", seed}, {"out_dir", folder}, {"eval_score", cat(figure(at(summary, {"eval", "num_passed"})), "/", figure(at(summary, {"eval", "num_scored"})))}};
  for (const Metric& m : kMetrics) {
    entry[m.name] = at(summary, {m.part, m.key});
    if (m.rate) entry[cat(m.name, "_ci")] = at(summary, {m.part, cat(m.key, "_ci").c_str()});
  }
  entry["checkpoint"] = at(summary, {"artifacts", "aligned_eval_checkpoint", "sha256"});
  entry["long_run_gate"] = at(summary, {"long_run_gate"});
  return entry;
}

std::string worst_status(const std::vector<Json>& summaries) {
  const std::vector<std::string> order{"approved", "warn", "blocked"};
  size_t worst = 0;
  for (const Json& summary : summaries) {
    const auto place = std::find(order.begin(), order.end(), at(summary, {"long_run_gate", "status"}));
    worst = std::max(worst, std::min<size_t>(2, static_cast<size_t>(place - order.begin())));
  }
  return order[worst];
}

// Pass rates of each category over the seeds, weakest mean first.
Json category_aggregates(const std::vector<Json>& summaries) {
  std::map<std::string, std::vector<Json>> rates;
  for (const Json& summary : summaries)
    if (const Json buckets = at(summary, {"eval", "category_breakdown"}); buckets.is_object())
      for (const auto& [name, bucket] : buckets.items()) rates[name].push_back(at(bucket, {"pass_rate"}));
  std::vector<std::pair<std::string, Json>> list;
  for (const auto& [name, values] : rates) list.emplace_back(name, aggregate(values));
  auto mean = [](const Json& a) { return a.at("mean").is_number() ? a.at("mean").get<double>() : 2.0; };
  std::stable_sort(list.begin(), list.end(), [&](const auto& a, const auto& b) { return mean(a.second) < mean(b.second); });
  Json out = Json::object();
  for (const auto& [name, value] : list) out[name] = value;
  return out;
}

std::string spread(const Json& a, bool rate) {
  auto show = [&](const char* key) { return rate ? percent(a.at(key)) : figure(a.at(key), 4); };
  return cat(show("mean"), " +- ", a.at("std").is_null() ? "not measured" : show("std"), ", from ", show("min"), " to ", show("max"));
}

std::string markdown(const Json& summary) {
  std::string out = cat("# ", summary.at("runs").size(), " seeds\n\n**Worst verdict: ", summary.at("status").get<std::string>(), ".**\n\n");
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, value] : summary.at("categories").items()) rows.push_back({name, spread(value, true)});
  if (!rows.empty()) out += cat("Weakest category: ", rows[0][0], " with ", rows[0][1], ".\n\n");
  std::vector<std::vector<std::string>> seeds;
  for (const Json& run : summary.at("runs"))
    seeds.push_back({figure(run.at("seed")), run.at("long_run_gate").value("status", ""), percent(run.at("eval_pass_rate"), run.at("eval_pass_rate_ci")), percent(run.at("eval_non_choice_pass_rate")),
                     percent(run.at("sft_fit_rate")), figure(run.at("base_val_bpb"), 4), figure(run.at("sft_val_loss"), 4), run.at("out_dir").get<std::string>()});
  out += evidence::markdown_table({"seed", "verdict", "eval [interval]", "not choice", "SFT fit", "base val_bpb", "SFT val loss", "folder"}, seeds, ": :::::");
  std::vector<std::vector<std::string>> totals;
  for (const Metric& m : kMetrics) totals.push_back({m.name, spread(summary.at("aggregate").at(m.name), m.rate)});
  out += cat("\n## Over the seeds\n\nMean, standard deviation of the sample, range. The seed decides weights, the order of the data and which conversations are held out; the held-out text and generated rows are the same for all.\n\n",
             evidence::markdown_table({"figure", "mean +- deviation, range"}, totals));
  return out + (rows.empty() ? "" : cat("\n## Categories, weakest first\n\n", evidence::markdown_table({"category", "mean +- deviation, range"}, rows)));
}

}  // namespace

Json aggregate(const std::vector<Json>& values) {
  std::vector<double> numbers;
  for (const Json& value : values)
    if (value.is_number()) numbers.push_back(value.get<double>());
  const double n = static_cast<double>(numbers.size());
  Json out{{"n", numbers.size()}, {"mean", nullptr}, {"std", nullptr}, {"min", nullptr}, {"max", nullptr}};
  if (numbers.empty()) return out;
  double sum = 0, squares = 0;
  for (double x : numbers) sum += x;
  for (double x : numbers) squares += (x - sum / n) * (x - sum / n);
  out["mean"] = sum / n;
  if (numbers.size() > 1) out["std"] = std::sqrt(squares / (n - 1));
  out["min"] = *std::min_element(numbers.begin(), numbers.end());
  out["max"] = *std::max_element(numbers.begin(), numbers.end());
  return out;
}

RunOutcome run_seeds(base::FileSystem& files, const gate::ResolvedRunOptions& resolved, const std::string& command) {
  const auto& options = resolved.options;
  const Path dir = options.out_dir;
  claim_directory(files, dir, options);
  std::vector<Json> summaries;
  Json runs = Json::array();
  for (int64_t seed = options.seed; seed < options.seed + options.n_seeds; ++seed) {
    const std::string folder = cat("seed-", seed);
    gate::ResolvedRunOptions one = resolved;
    one.options.seed = seed;
    one.options.n_seeds = 1;
    one.options.out_dir = (dir / folder).string();
    if (options.tensorboard_log_dir) one.options.tensorboard_log_dir = (Path(*options.tensorboard_log_dir) / folder).string();
    if (seed != options.seed && !options.dataset_pack && !options.chat_input) {
      const Path rows = dir / cat("seed-", options.seed) / "tasks";
      one.options.chat_input = (rows / "chat.jsonl").string();
      one.options.eval_input = (rows / "eval.jsonl").string();
    }
    base::say(cat("seed ", seed, " (", seed - options.seed + 1, " of ", options.n_seeds, "): ", one.options.out_dir));
    const RunOutcome outcome = run_tiny(files, one, command);
    if (options.preflight_only) return outcome;  // the seed changes nothing that preflight looks at
    summaries.push_back(outcome.json);
    runs.push_back(seed_entry(seed, folder, outcome.json));
  }
  const std::string status = worst_status(summaries);
  Json metrics = Json::object();
  for (const Metric& m : kMetrics) {
    std::vector<Json> values;
    for (const Json& run : runs) values.push_back(run.at(m.name));
    metrics[m.name] = aggregate(values);
  }
  const Json summary{{"type", "multi_seed_tiny"}, {"status", status}, {"runs", runs}, {"aggregate", metrics}, {"categories", category_aggregates(summaries)},
                     {"command", command}, {"build", base::build_info_json()}};
  base::write_file(files, dir / "summary.md", markdown(summary));
  base::write_file(files, dir / "summary.json", base::dump(summary) + "\n");
  base::say(cat("\n", markdown(summary)));
  return {.code = status == "blocked" ? base::ExitCode::kBlocked : base::ExitCode::kDone, .status = status, .report = dir / "summary.md", .json = summary};
}

}  // namespace picochat::factory
