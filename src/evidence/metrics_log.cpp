#include "picochat/evidence/metrics_log.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::evidence {
namespace {

using base::Json;

constexpr std::array<std::string_view, 3> kStages = {"base", "sft", "dpo"};
constexpr std::array<std::string_view, 8> kEvents = {"step", "eval", "spike", "rollback", "checkpoint", "early_stop", "stage_end", "note"};

size_t stage_order(std::string_view stage) {
  return static_cast<size_t>(std::find(kStages.begin(), kStages.end(), stage) - kStages.begin());
}

bool depends_on_clock(std::string_view key) {
  return key.ends_with("_sec") || key.ends_with("_seconds") || key.ends_with("_per_sec") || key == "seconds" || key == "time" ||
         key == "timestamp" || key == "mfu" || key == "host";
}

void nullify_non_finite(Json& value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) value = nullptr;
  else if (value.is_structured())
    for (auto& child : value) nullify_non_finite(child);
}

void move_clock_keys(Json& event) {
  Json timing = event.contains("timing") ? event["timing"] : Json::object();
  std::vector<std::string> moved;
  for (const auto& [key, value] : event.items())
    if (key != "timing" && depends_on_clock(key)) moved.push_back(key);
  for (const auto& key : moved) {
    timing[key] = event[key];
    event.erase(key);
  }
  event.erase("timing");
  if (!timing.empty()) event["timing"] = timing;  // last on the line
}

bool is_header(const Json& line) { return line.value("event", "") == "metrics"; }

}  // namespace

MetricsLog::MetricsLog(base::FileSystem& files, const base::Path& path) : files_(files), path_(path) { open(); }

void MetricsLog::open() {
  appender_ = std::make_unique<base::JsonlAppender>(files_, path_);
  if (std::filesystem::file_size(path_) == 0) appender_->append({{"event", "metrics"}, {"version", kMetricsVersion}});
}

void MetricsLog::append(Json event) {
  const std::string kind = base::get_string(event, "event", "metrics event"), stage = base::get_string(event, "stage", "metrics event");
  base::get_int(event, "step", "metrics event");
  base::require(std::find(kEvents.begin(), kEvents.end(), kind) != kEvents.end(), "metrics: a known event");
  base::require(stage_order(stage) < kStages.size(), "metrics: a known stage");
  nullify_non_finite(event);
  move_clock_keys(event);
  appender_->append(event);
}

void MetricsLog::sync() { appender_->sync(); }

void MetricsLog::rewind(const std::string& stage, int64_t step) {
  appender_.reset();
  cut_metrics(files_, path_, stage, step);
  open();
}

void cut_metrics(base::FileSystem& files, const base::Path& path, const std::string& stage, int64_t step) {
  const size_t order = stage_order(stage);
  base::require(order < kStages.size(), "metrics: a known stage");
  base::filter_jsonl(files, path, [&](const Json& line) {
    if (is_header(line)) return true;
    const size_t line_order = stage_order(line.value("stage", ""));
    if (line_order != order) return line_order < order;
    return line.value("event", "") != "stage_end" && line.value("step", int64_t{0}) <= step;
  });
}

std::vector<Json> read_metrics(const base::Path& path, const std::string& stage) {
  std::vector<Json> events;
  base::read_jsonl(path, [&](const Json& line, int64_t number) {
    if (is_header(line)) {
      const int64_t version = base::get_int(line, "version", base::cat(path.string(), ":", number));
      if (version != kMetricsVersion)
        throw base::bad_input({.what = "metrics of another version of the program", .where = base::cat(path.string(), ":", number),
                               .expected = base::cat("version ", kMetricsVersion), .found = base::cat("version ", version)});
    } else if (stage.empty() || line.value("stage", "") == stage) {
      events.push_back(line);
    }
    return true;
  });
  return events;
}

std::string comparable_metrics(const base::Path& path) {
  std::string out;
  for (auto event : read_metrics(path)) {
    event.erase("timing");
    out += base::dump(event, -1) + "\n";
  }
  return out;
}

void write_progress(base::FileSystem& files, const base::Path& path, const ProgressFacts& facts) {
  auto text = [](const std::string& value) { return value.empty() ? Json(nullptr) : Json(value); };
  const double share = facts.max_steps > 0 ? static_cast<double>(facts.step) / static_cast<double>(facts.max_steps) : 0;
  Json progress = {{"status", facts.status}, {"stage", facts.stage}, {"step", facts.step}, {"max_steps", facts.max_steps}, {"progress", share},
                   {"train_loss", facts.train_loss}, {"latest_eval", facts.latest_eval}, {"best_checkpoint", text(facts.best_checkpoint)},
                   {"resume_checkpoint", text(facts.resume_checkpoint)}, {"resume_from", text(facts.resume_from)}, {"note", facts.note}};
  nullify_non_finite(progress);
  files.make_directories(path.parent_path());
  base::write_file(files, path, base::dump(progress) + "\n");
}

}  // namespace picochat::evidence
