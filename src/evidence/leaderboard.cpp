#include <algorithm>
#include <tuple>

#include "evidence/html.hpp"
#include "evidence/summary_parts.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"
#include "picochat/evidence/run_tables.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;
using Rows = std::vector<std::vector<std::string>>;

struct Entry {
  const RunRecord* run;
  std::string suite, eval_file;
  double rate;
  int64_t passed, rows;
  Json interval, support, echo;
};

// A bucket that was scored; one without rows has no place in the order.
void add(std::vector<Entry>& entries, const RunRecord& run, const std::string& suite, const std::string& eval_file, const Json& bucket) {
  const Json rate = at(bucket, {"pass_rate"}), passed = at(bucket, {"num_passed"}), rows = at(bucket, {"num_scored"});
  if (!rate.is_number() || !passed.is_number_integer() || !rows.is_number_integer()) return;
  entries.push_back({&run, suite, eval_file, rate.get<double>(), passed.get<int64_t>(), rows.get<int64_t>(), at(bucket, {"pass_rate_ci"}),
                     at(bucket, {"support_match_rate"}), at(bucket, {"prompt_echo_rate"})});
}

std::vector<Entry> entries_of(const std::vector<RunRecord>& runs) {
  std::vector<Entry> entries;
  for (const auto& run : runs) {
    const Json eval = at(run.summary, {"eval"});
    const std::string file = text_at(run.digests, {"eval_input"}, "");
    add(entries, run, "overall", file, eval);
    const Json categories = at(eval, {"category_breakdown"}), levels = at(eval, {"level_breakdown"});
    if (categories.is_object())
      for (const auto& [name, bucket] : categories.items()) add(entries, run, name, file, bucket);
    if (levels.is_object())
      for (const auto& [name, bucket] : levels.items()) add(entries, run, cat("level:", name), file, bucket);
    for (const Json& item : at(run.summary, {"external_evals"}))
      add(entries, run, cat("external:", text_at(item, {"name"}, "")), text_at(item, {"input_sha256"}, ""), at(item, {"summary"}));
  }
  // Overall first, then suites by name; verified runs by rate, ties by rows passed, then in the order given.
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    auto key = [](const Entry& e) { return std::tuple(e.suite != "overall", e.suite, e.run->status == "unverified", -e.rate, -e.passed); };
    return key(a) < key(b);
  });
  return entries;
}

// Places only among verified runs that were asked the same rows as the first of the suite; the others stand without one.
std::vector<std::string> places_of(const std::vector<Entry>& entries) {
  std::vector<std::string> places;
  std::string suite, file;
  int place = 0;
  for (const Entry& e : entries) {
    if (e.suite != suite || places.empty()) {
      suite = e.suite;
      file = e.eval_file;
      place = 0;
    }
    if (e.run->status == "unverified") places.emplace_back("unverified");
    else if (e.eval_file != file || file.empty()) places.emplace_back("other rows");
    else places.push_back(cat(++place));
  }
  return places;
}

}  // namespace

const base::OptionTable<RunTableOptions>& leaderboard_options() { return compare_options(); }

base::CommandOutput leaderboard(base::FileSystem& files, const RunTableOptions& options) {
  const auto runs = read_run_records(options.runs);
  const auto entries = entries_of(runs);
  const auto places = places_of(entries);
  RunTable out{.title = "Leaderboard", .json = {{"entries", Json::array()}, {"best_run", nullptr}}, .markdown = {}, .html = {}};
  Rows rows;
  for (size_t i = 0; i < entries.size(); ++i) {
    const Entry& e = entries[i];
    rows.push_back({e.suite, places[i], e.run->name, cat(e.passed, "/", e.rows), percent(e.rate, e.interval), percent(e.support), percent(e.echo), e.run->status});
    out.json["entries"].push_back({{"suite", e.suite}, {"place", places[i]}, {"run", e.run->name}, {"path", e.run->path}, {"status", e.run->status},
                                   {"score", cat(e.passed, "/", e.rows)}, {"pass_rate", e.rate}, {"pass_rate_ci", e.interval}, {"num_passed", e.passed},
                                   {"num_examples", e.rows}, {"support_match_rate", e.support}, {"prompt_echo_rate", e.echo}, {"eval_file", e.eval_file}});
    if (e.suite == "overall" && places[i] == "1") out.json["best_run"] = e.run->name;
  }
  const std::vector<std::string> header{"suite", "place", "run", "passed", "rate [interval]", "support", "echo", "verdict"};
  const std::string foot = "Runs have places only against runs that were asked the same rows and whose files are those that were judged. Categories overlap with levels.";
  out.markdown = cat(markdown_table(header, rows, "   :::"), "\n", foot, "\n");
  out.html = html::table(header, rows) + html::element("p", foot, "soft");
  return publish_table(files, options, out);
}

}  // namespace picochat::evidence
