#include "serve/run_view.hpp"

#include <algorithm>
#include <array>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/run_options.hpp"
#include "picochat/serve/model_source.hpp"

namespace picochat::serve {
namespace {

using base::cat;
using base::Json;
using base::member;
using base::Path;

constexpr std::array<const char*, 8> kStages = {"corpus", "honesty", "tokenizer", "token_shards", "base", "sft", "dpo", "eval"};
constexpr size_t kMostRows = 200, kMostPoints = 500;
constexpr uintmax_t kLargestReport = 256u << 20;

// A report that is not there is null; one that cannot be read is null too, and said.
Json read_report(const Path& path, Json* problems) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return nullptr;
  try {
    if (std::filesystem::file_size(path) > kLargestReport) throw base::bad_input({.what = "too large to be shown", .where = path.filename().string()});
    return base::read_json(path);
  } catch (const std::exception& problem) {
    if (problems) problems->push_back(cat(path.filename().string(), ": ", base::replace_all(problem.what(), "\n", "; ")));
    return nullptr;
  }
}

// A process of this program holds the run's lock.
bool is_running(const Path& run) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(run / ".lock", error)) return false;
  const std::string pid(base::trim(base::read_file(run / ".lock")));
  if (pid.empty() || pid.find_first_not_of("0123456789") != std::string::npos) return false;
  const Path name = Path("/proc") / pid / "comm";
  return std::filesystem::exists(name, error) && base::trim(base::read_file(name)) == "picochat";
}

bool is_run(const Path& folder) {
  std::error_code error;
  return std::filesystem::is_regular_file(folder / "run.json", error);
}

std::filesystem::file_time_type last_change(const Path& run) {
  auto latest = std::filesystem::file_time_type::min();  // not {}: its epoch is a time to come
  for (const char* name : {"run.json", "metrics.jsonl", "progress.json", "summary.json"}) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(run / name, error);
    if (!error) latest = std::max(latest, time);
  }
  return latest;
}

double seconds_since(std::filesystem::file_time_type time) { return std::chrono::duration<double>(std::filesystem::file_time_type::clock::now() - time).count(); }

Json stage_list(const Path& run, const Json& summary) {
  Json out = Json::array();
  const Json timed = member(member(summary, "timing"), "stages");
  for (const char* stage : kStages) {
    const Json record = read_report(run / "stages" / cat(stage, ".json"), nullptr);
    if (record.is_null() && std::string_view(stage) == "dpo") continue;  // most runs have none
    Json seconds;
    if (timed.is_array())
      for (const Json& entry : timed)
        if (member(entry, "stage") == stage) seconds = member(entry, "seconds");
    out.push_back({{"name", stage}, {"status", record.is_null() ? Json("pending") : member(record, "status")}, {"seconds", seconds}});
  }
  return out;
}

// Checks that did not pass, the worst first.
Json findings(const Json& preflight) {
  Json out = Json::array();
  const Json checks = member(preflight, "checks");
  if (!checks.is_array()) return out;
  for (const char* status : {"block", "warn", "not_measured", "deferred_to_host"})
    for (const Json& check : checks)
      if (member(check, "status") == status) out.push_back({{"name", member(check, "name")}, {"status", status}, {"message", member(check, "message")}, {"remedy", member(check, "remedy")}});
  return out;
}

int64_t passed(const Json& preflight) {
  const Json checks = member(preflight, "checks");
  return !checks.is_array() ? 0 : std::count_if(checks.begin(), checks.end(), [](const Json& check) { return member(check, "status") == "pass"; });
}

Json scoreboard(const Json& report) {
  const Json breakdown = member(member(report, "summary"), "category_breakdown");
  if (!breakdown.is_object()) return nullptr;
  Json rows = Json::array();
  for (const auto& [category, bucket] : breakdown.items())
    rows.push_back({{"category", category}, {"passed", member(bucket, "num_passed")}, {"scored", member(bucket, "num_scored")}, {"rate", member(bucket, "pass_rate")},
                    {"low", member(member(bucket, "pass_rate_ci"), "low")}, {"high", member(member(bucket, "pass_rate_ci"), "high")}});
  return {{"passed", member(member(report, "summary"), "num_passed")}, {"scored", member(member(report, "summary"), "num_scored")}, {"rate", member(member(report, "summary"), "pass_rate")},
          {"categories", std::move(rows)}};
}

Json samples(const Path& run, const Json& eval) {
  Json base_text;
  std::error_code error;
  if (std::filesystem::is_regular_file(run / "base/sample.txt", error)) base_text = base::read_file(run / "base/sample.txt").substr(0, 4000);
  auto rows = [&](const char* verdict) {
    Json out = Json::array();
    const Json list = member(member(eval, "generations"), verdict);
    if (list.is_array())
      for (const Json& row : list)
        out.push_back({{"category", member(row, "category")}, {"user", member(row, "user")}, {"reply", member(row, "reply")}, {"reference", member(row, "reference_answer")}, {"reasons", member(row, "failure_reasons")}});
    return out;
  };
  return {{"base", base_text}, {"good", rows("good")}, {"bad", rows("bad")}};
}

}  // namespace

RunView::RunView(Path folder) : folder_(std::move(folder)) {}

std::vector<std::string> RunView::names() const {
  if (is_run(folder_)) return {std::filesystem::absolute(folder_).lexically_normal().filename().string()};
  std::vector<std::pair<std::filesystem::file_time_type, std::string>> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error))
    if (is_run(entry.path())) found.emplace_back(last_change(entry.path()), entry.path().filename().string());
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> names;
  for (auto& [time, name] : found) names.push_back(std::move(name));
  return names;
}

Path RunView::path_of(const std::string& name) const { return is_run(folder_) ? folder_ : folder_ / name; }

std::optional<Path> RunView::find(const std::string& name) const {
  const auto known = names();
  return std::find(known.begin(), known.end(), name) == known.end() ? std::nullopt : std::optional(path_of(name));
}

// The place in training comes from the metrics: progress.json is written at evaluations only.
Json RunView::short_facts(const std::string& name, const Path& run, const Json& record, const Json& gate) {
  const Json place = tail(name, run).position(), step = member(place, "step");
  const Json last = member(place, "stage").is_string() ? gate::recorded_option(record, cat(place.at("stage").get<std::string>(), "_steps")) : Json(nullptr);
  const bool counted = step.is_number() && last.is_number() && last.get<double>() > 0;
  const bool running = is_running(run), complete = std::filesystem::exists(run / "summary.json");
  return {{"name", name}, {"scale", gate::recorded_option(record, "scale")}, {"running", running}, {"complete", complete && !running}, {"started_at", member(member(record, "timing"), "started_at")},
          {"seconds_since_change", seconds_since(last_change(run))}, {"stage", member(place, "stage")}, {"step", step}, {"max_steps", last},
          {"progress", counted ? Json(std::min(1.0, step.get<double>() / last.get<double>())) : Json(nullptr)}, {"train_loss", member(place, "train_loss")}, {"val_bpb", member(place, "val_bpb")},
          {"verdict", member(gate, "status")}, {"has_model", newest_model(run).has_value()}};
}

Json RunView::list() {
  std::lock_guard lock(mutex_);
  Json out = Json::array();
  for (const auto& name : names()) {
    const Path run = path_of(name);
    out.push_back(short_facts(name, run, read_report(run / "run.json", nullptr), read_report(run / "gate/gate.json", nullptr)));
  }
  return {{"runs", std::move(out)}};
}

Json RunView::run(const std::string& name) {
  const auto run = find(name);
  if (!run) return nullptr;
  std::lock_guard lock(mutex_);
  Json problems = Json::array();
  const Json record = read_report(*run / "run.json", &problems), gate = read_report(*run / "gate/gate.json", &problems), summary = read_report(*run / "summary.json", &problems);
  const Json preflight = read_report(*run / "preflight.json", &problems), eval = read_report(*run / "eval/eval_report.json", &problems);
  Json out = short_facts(name, *run, record, gate);
  out["command"] = member(record, "command");
  out["device"] = member(member(record, "timing"), "device");
  out["stages"] = stage_list(*run, summary);
  const auto seconds = out.at("stage").is_string() ? tail(name, *run).step_seconds(out.at("stage").get<std::string>()) : std::nullopt;
  const bool measured = out.at("running") == true && seconds && out.at("progress").is_number() && out.at("progress") < 1;
  out["stage_seconds_left"] = measured ? Json(*seconds * (out.at("max_steps").get<double>() - out.at("step").get<double>())) : Json(nullptr);
  out["parameters"] = member(member(preflight, "budget"), "estimated_parameters");
  out["preflight"] = preflight.is_null() ? Json(nullptr) : Json{{"status", member(preflight, "status")}, {"passed", passed(preflight)}, {"findings", findings(preflight)}};
  out["gate"] = gate.is_null() ? Json(nullptr) : Json{{"status", member(gate, "status")}, {"profile", member(gate, "profile")}, {"issues", member(gate, "issues")}};
  out["boards"] = Json::object();
  for (const char* report : {"eval", "sft_fit", "sft_fit_heldout"})
    out["boards"][report] = scoreboard(std::string_view(report) == "eval" ? eval : read_report(*run / report / "eval_report.json", &problems));
  out["samples"] = samples(*run, eval);
  out["problems"] = std::move(problems);
  return out;
}

MetricsTail& RunView::tail(const std::string& name, const Path& run) {
  auto [found, is_new] = tails_.try_emplace(name, run / "metrics.jsonl");
  found->second.refresh();
  return found->second;
}

Json RunView::curves(const std::string& name) {
  const auto run = find(name);
  if (!run) return nullptr;
  std::lock_guard lock(mutex_);
  return tail(name, *run).curves(kMostPoints);
}

Json RunView::failing(const std::string& name, const std::string& report, const std::string& category) const {
  const auto run = find(name);
  if (!run || (report != "eval" && report != "sft_fit" && report != "sft_fit_heldout")) return nullptr;
  Json rows = Json::array();
  int64_t count = 0;
  const Json examples = member(read_report(*run / report / "eval_report.json", nullptr), "examples");
  if (examples.is_array())
    for (const Json& row : examples) {
      if (member(row, "passed") != false || (!category.empty() && member(row, "category") != category)) continue;
      if (++count > static_cast<int64_t>(kMostRows)) continue;
      Json reply = member(row, "reply");
      if (!member(row, "choice_predicted").is_null()) reply = cat("chose ", base::dump(member(row, "choice_predicted"), -1), ", right is ", base::dump(member(row, "correct_choice"), -1));
      rows.push_back({{"category", member(row, "category")}, {"user", member(row, "user")}, {"reply", reply}, {"reference", member(row, "reference_answer")}, {"reasons", member(row, "failure_reasons")}});
    }
  return {{"rows", std::move(rows)}, {"count", count}};
}

}  // namespace picochat::serve
