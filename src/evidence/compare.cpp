#include <algorithm>
#include <functional>
#include <set>

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

struct Cell {
  std::string text = "not measured";
  std::optional<double> value, low, high;
};

enum class Better { kNone, kHigher, kLower };

// A figure of a run, and what two runs must share for it to be comparable: a key that is the same in both.
struct Figured {
  std::string name;
  Better better = Better::kNone;
  std::function<Cell(const RunRecord&)> cell;
  std::function<std::string(const RunRecord&)> measured_on = [](const RunRecord&) { return std::string("any"); };
};

Cell plain(const Json& value, int decimals = 3) {
  Cell cell{.text = figure(value, decimals), .value = {}, .low = {}, .high = {}};
  if (value.is_number()) cell.value = value.get<double>();
  return cell;
}

Cell rate(const Json& part, const char* key) {
  const Json value = at(part, {key}), interval = at(part, {cat(key, "_ci").c_str()});
  Cell cell{.text = percent(value, interval), .value = {}, .low = {}, .high = {}};
  if (value.is_number()) cell.value = value.get<double>();
  if (const Json low = at(interval, {"low"}); low.is_number()) cell.low = low.get<double>();
  if (const Json high = at(interval, {"high"}); high.is_number()) cell.high = high.get<double>();
  return cell;
}

// 95% of a normal error around it.
Cell bits(const RunRecord& run, const char* stage) {
  Cell cell = plain(at(run.summary, {stage, "best_val_bpb"}));
  cell.text = bits_per_byte(at(run.summary, {stage}));
  if (const Json error = at(run.summary, {stage, "best_val_bpb_stderr"}); cell.value && error.is_number()) {
    cell.low = *cell.value - 1.96 * error.get<double>();
    cell.high = *cell.value + 1.96 * error.get<double>();
  }
  return cell;
}

std::string digest(const RunRecord& run, const char* name) { return text_at(run.digests, {name}, ""); }

std::string held_out_text(const RunRecord& run) {
  const std::string corpus = digest(run, "corpus_manifest");
  return corpus.empty() ? "" : cat(corpus, figure(at(run.summary, {"config", "val_tokens"})));
}

std::set<std::string> benchmarks(const std::vector<RunRecord>& runs) {
  std::set<std::string> names;
  for (const auto& run : runs)
    for (const Json& item : at(run.summary, {"external_evals"})) names.insert(text_at(item, {"name"}, ""));
  return names;
}

Json benchmark(const RunRecord& run, const std::string& name) {
  for (const Json& item : at(run.summary, {"external_evals"}))
    if (text_at(item, {"name"}, "") == name) return item;
  return nullptr;
}

std::vector<Figured> figures(const std::vector<RunRecord>& runs) {
  auto of = [](std::initializer_list<const char*> keys, int decimals = 3) {
    std::vector<const char*> path(keys);
    return [path, decimals](const RunRecord& run) {
      Json here = run.summary;
      for (const char* key : path) here = at(here, {key});
      return plain(here, decimals);
    };
  };
  auto rate_of = [](const char* part, const char* key) { return [part, key](const RunRecord& run) { return rate(at(run.summary, {part}), key); }; };
  auto eval_file = [](const RunRecord& run) { return digest(run, "eval_input"); };
  std::vector<Figured> list{
      {"verdict", Better::kNone, [](const RunRecord& run) { return Cell{.text = run.status, .value = {}, .low = {}, .high = {}}; }},
      {"profile", Better::kNone, of({"long_run_gate", "profile"})},
      {"parameters", Better::kNone, of({"base", "num_parameters"})},
      {"context", Better::kNone, of({"config", "context_size"})},
      {"tokenizer", Better::kNone, of({"tokenizer", "tokenizer_type"})},
      {"vocabulary", Better::kNone, of({"tokenizer", "vocab_size"})},
      {"tokens trained on", Better::kNone, of({"base", "coverage", "actual_training_tokens"})},
      {"base: bits per byte", Better::kLower, [](const RunRecord& run) { return bits(run, "base"); }, held_out_text},
      {"base: validation loss", Better::kNone, of({"base", "best_val_loss"}, 4)},
      {"base: best step", Better::kNone, of({"base", "best_step"})},
      {"base: stopped by", Better::kNone, of({"base", "stop_reason"})},
      {"SFT: validation loss", Better::kNone, of({"sft", "best_val_loss"}, 4)},
      {"SFT: best step", Better::kNone, of({"sft", "best_step"})},
      {"SFT: stopped by", Better::kNone, of({"sft", "stop_reason"})},
      {"eval rows passed", Better::kHigher, rate_of("eval", "pass_rate"), eval_file},
      {"  of those not choice", Better::kHigher, rate_of("eval", "non_choice_pass_rate"), eval_file},
      {"  choice accuracy", Better::kHigher, rate_of("eval", "choice_accuracy"), eval_file},
      {"  declines what it should", Better::kHigher, rate_of("eval", "unsafe_refusal_pass_rate"), eval_file},
      {"  replies that echo the prompt", Better::kLower, rate_of("eval", "prompt_echo_rate"), eval_file},
      {"  replies cut by length", Better::kNone, of({"eval", "replies_cut_by_length"})},
      {"SFT fit: trained rows", Better::kNone, rate_of("sft_fit", "pass_rate")},
      {"SFT fit: held-out rows", Better::kNone, rate_of("sft_fit_heldout", "pass_rate")},
      {"memorization", Better::kNone, of({"base", "memorization", "status"})},
      {"honesty", Better::kNone, of({"honesty", "status"})},
      {"preflight", Better::kNone, of({"preflight", "status"})},
  };
  for (const auto& name : benchmarks(runs)) {
    auto score = [name](const RunRecord& run) {
      const Json summary = at(benchmark(run, name), {"summary"});
      return rate(summary, text_at(summary, {"primary_metric"}, "acc").c_str());
    };
    list.push_back({name, Better::kHigher, score, [name](const RunRecord& run) {
                      const Json item = benchmark(run, name);
                      return cat(text_at(item, {"input_sha256"}, text_at(item, {"input_path"}, "")), figure(at(item, {"summary", "num_examples"})));
                    }});
  }
  list.push_back({"seconds", Better::kNone, of({"timing", "total_seconds"}, 0)});
  return list;
}

struct Best {
  std::optional<size_t> run;
  std::string note;  // why there is none, or whether the difference is more than the error
};

// Runs without the figure and unverified runs do not compete; those that do must have been measured on the same thing.
Best best_of(const Figured& figured, const std::vector<RunRecord>& runs, const std::vector<Cell>& cells) {
  if (figured.better == Better::kNone) return {};
  std::vector<size_t> order;
  std::set<std::string> measured_on;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (!cells[i].value || runs[i].status == "unverified") continue;
    order.push_back(i);
    measured_on.insert(figured.measured_on(runs[i]));
  }
  if (order.size() < 2) return {};
  if (measured_on.size() > 1) return {{}, "not comparable: measured on different data"};
  if (measured_on.contains("")) return {{}, "not comparable: what it was measured on is not recorded"};
  const double sign = figured.better == Better::kHigher ? -1 : 1;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return sign * *cells[a].value < sign * *cells[b].value; });
  const Cell &first = cells[order[0]], &second = cells[order[1]];
  if (*first.value == *second.value) return {{}, "equal"};
  if (!first.low || !first.high || !second.low || !second.high) return {order[0], ""};
  const bool apart = figured.better == Better::kHigher ? *first.low > *second.high : *first.high < *second.low;
  return {order[0], apart ? "clear of the next" : "intervals overlap"};
}

Json cell_json(const Cell& cell) {
  Json out{{"text", cell.text}, {"value", cell.value ? Json(*cell.value) : Json(nullptr)}};
  if (cell.low && cell.high) out["interval"] = {{"low", *cell.low}, {"high", *cell.high}};
  return out;
}

}  // namespace

const base::OptionTable<RunTableOptions>& compare_options() {
  static const auto table = [] {
    base::OptionTable<RunTableOptions> t;
    add_run_table_fields(t);
    return t;
  }();
  return table;
}

base::CommandOutput compare_runs(base::FileSystem& files, const RunTableOptions& options) {
  const auto runs = read_run_records(options.runs);
  RunTable out{.title = "Runs compared", .json = {{"runs", Json::array()}, {"figures", Json::array()}}, .markdown = {}, .html = {}};
  std::vector<std::string> header{"figure"};
  std::string unverified;
  for (const auto& run : runs) {
    header.push_back(run.name);
    out.json["runs"].push_back({{"name", run.name}, {"path", run.path}, {"status", run.status}, {"problem", run.problem}, {"digests", run.digests}});
    if (!run.problem.empty()) unverified += cat("- ", run.name, " is unverified: ", run.problem, "\n");
  }
  header.emplace_back("best");
  Rows rows;
  for (const Figured& figured : figures(runs)) {
    std::vector<Cell> cells;
    for (const auto& run : runs) cells.push_back(figured.cell(run));
    const Best best = best_of(figured, runs, cells);
    std::vector<std::string> row{figured.name};
    Json json{{"figure", base::trim(figured.name)}, {"runs", Json::object()}, {"best", best.run ? Json(runs[*best.run].name) : Json(nullptr)}, {"note", best.note}};
    for (size_t i = 0; i < runs.size(); ++i) {
      row.push_back(cells[i].text);
      json["runs"][runs[i].name] = cell_json(cells[i]);
    }
    row.push_back(best.run ? cat(runs[*best.run].name, best.note.empty() ? "" : cat(" (", best.note, ")")) : best.note);
    rows.push_back(std::move(row));
    out.json["figures"].push_back(std::move(json));
  }
  const std::string foot = "Rates and bits per byte stand with their 95% intervals.";
  out.markdown = cat(markdown_table(header, rows), "\n", foot, "\n", unverified.empty() ? "" : cat("\n", unverified));
  out.html = cat(html::table(header, rows), html::element("p", foot, "soft"), unverified.empty() ? "" : html::element("pre", unverified));
  return publish_table(files, options, out);
}

}  // namespace picochat::evidence
