// report.md and curves.svg of a training stage.
#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"
#include "picochat/evidence/svg.hpp"
#include "picochat/evidence/train_report.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;

constexpr size_t kCurvePoints = 400;

std::string plus_minus(const Json& row, const char* key, int decimals) {
  const Json value = row.value(key, Json()), error = row.value(cat(key, "_stderr"), Json());
  if (value.is_null()) return "not measured";
  return error.is_number() ? cat(figure(value, decimals), " +- ", figure(error, decimals)) : figure(value, decimals);
}

// Points of a key over steps, averaged in equal groups when there are too many to see.
Series series_of(std::span<const Json> events, const char* kind, const char* key, const char* name, bool in_timing = false) {
  Series series{name, {}};
  for (const auto& event : events) {
    if (event.value("event", "") != kind) continue;
    const Json& from = in_timing && event.contains("timing") ? event.at("timing") : event;
    if (from.contains(key) && from.at(key).is_number()) series.points.emplace_back(event.at("step").get<double>(), from.at(key).get<double>());
  }
  const size_t group = series.points.size() / kCurvePoints + 1;
  if (group == 1) return series;
  std::vector<std::pair<double, double>> means;
  for (size_t begin = 0; begin < series.points.size(); begin += group) {
    const size_t end = std::min(series.points.size(), begin + group);
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += series.points[i].second;
    means.emplace_back(series.points[end - 1].first, sum / static_cast<double>(end - begin));
  }
  series.points = std::move(means);
  return series;
}

std::string curves(const Json& report, std::span<const Json> events) {
  std::optional<double> best;
  if (const Json& step = report.at("loss_diagnostics").at("best_val_step"); step.is_number()) best = step.get<double>();
  auto chart = [&](const char* title, const char* unit, std::vector<Series> series) {
    std::erase_if(series, [](const Series& s) { return s.points.empty(); });
    return Chart{.title = title, .x_label = "step", .y_label = unit, .series = std::move(series), .mark_x = best, .mark_label = "best checkpoint"};
  };
  return svg_charts({chart("loss (nats per token)", "nats", {series_of(events, "step", "train_loss", "train"), series_of(events, "eval", "val_loss", "validation")}),
                     chart("validation bits per byte", "bits", {series_of(events, "eval", "val_bpb", "val_bpb"), series_of(events, "eval", "ema_val_bpb", "ema_val_bpb")}),
                     chart("held-out pairs whose chosen reply gained", "part", {series_of(events, "eval", "val_accuracy", "val_accuracy")}),
                     chart("learning rate", "", {series_of(events, "step", "learning_rate", "learning_rate")}),
                     chart("gradient norm", "", {series_of(events, "step", "grad_norm", "grad_norm")}),
                     chart("tokens per second", "", {series_of(events, "step", "tokens_per_sec", "tokens/s", true)})});
}

}  // namespace

std::string train_report_markdown(const Json& report) {
  const Json &diagnostics = report.at("loss_diagnostics"), &stability = report.at("optimization_stability"), &cover = report.at("coverage");
  const Json summary = stage_summary(report);
  std::string out = cat("# Training: ", report.at("stage").get<std::string>(), "\n\n**", diagnostics.at("status").get<std::string>(), "**: ",
                        diagnostics.at("summary").get<std::string>(), ". Stopped by ", figure(report.at("stop_reason")), " after ",
                        count(cover.at("actual_steps")), " of ", count(cover.at("planned_steps")), " steps.\n\n![curves](curves.svg)\n\n");
  std::vector<std::vector<std::string>> figures = {{"parameters", figure(summary.at("num_parameters"))},
                                                   {"best validation loss (step)", cat(figure(summary.at("best_val_loss"), 4), " (", figure(summary.at("best_step")), ")")},
                                                   {"best validation bits per byte", plus_minus(summary, "best_val_bpb", 4)},
                                                   {"final validation bits per byte", plus_minus(summary, "final_val_bpb", 4)},
                                                   {"final training loss (mean since the evaluation before)", figure(summary.at("final_train_loss"), 4)},
                                                   {"validation tokens", figure(summary.at("val_tokens"))},
                                                   {"trained tokens", figure(cover.at("actual_training_tokens"))},
                                                   {"times each training token was seen", figure(cover.at("estimated_train_epochs"), 2)},
                                                   {"highest / last gradient norm", cat(figure(stability.at("max_grad_norm")), " / ", figure(stability.at("final_grad_norm")))},
                                                   {"rollbacks, spikes", cat(report.at("rollback_events").size(), ", ", report.at("loss_spike_warnings").size())}};
  if (summary.contains("best_val_accuracy"))
    figures.push_back({"held-out pairs whose chosen reply gained, best / final", cat(figure(summary.at("best_val_accuracy"), 3), " / ", figure(summary.at("final_val_accuracy"), 3))});
  out += markdown_table({"figure", "value"}, figures);
  auto list = [&](const char* title, const Json& items) {
    if (items.empty()) return;
    out += cat("\n## ", title, "\n\n");
    for (const auto& item : items) out += cat("- ", item.get<std::string>(), "\n");
  };
  Json warnings = stability.at("warnings");
  for (const auto& warning : cover.at("warnings")) warnings.push_back(warning);
  list("Warnings", warnings);
  list("Advice", diagnostics.at("recommendations"));
  out += "\n## Evaluations\n\n";
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : report.at("losses"))
    rows.push_back({figure(row.at("step")), figure(row.at("train_loss_mean"), 4), plus_minus(row, "val_loss", 4), plus_minus(row, "val_bpb", 4),
                    row.contains("learning_rate") ? cat(base::fixed(row.at("learning_rate").get<double>() * 1e4, 3), "e-4") : "",
                    figure(row.value("grad_norm", Json()), 3), row.value("best", Json()) == true ? "yes" : ""});
  out += markdown_table({"step", "train loss", "validation loss", "bits per byte", "learning rate", "gradient norm", "best so far"}, rows, "::::::");
  if (report.at("sample").is_string()) out += "\n## Sample\n\n" + markdown_block(report.at("sample").get<std::string>(), 2000);
  return out;
}

void write_train_report(base::FileSystem& files, const base::Path& folder, const std::string& name, const Json& report, std::span<const Json> events) {
  files.make_directories(folder);
  if (std::string svg = curves(report, events); !svg.empty()) base::write_file(files, folder / "curves.svg", svg);
  if (report.at("sample").is_string()) base::write_file(files, folder / "sample.txt", report.at("sample").get<std::string>() + "\n");
  base::write_file(files, folder / "report.md", train_report_markdown(report));
  base::write_file(files, folder / name, base::dump(report) + "\n");
}

}  // namespace picochat::evidence
