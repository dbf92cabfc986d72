#include "picochat/evidence/train_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"

namespace picochat::evidence {
namespace {

using base::Json;
using testing::HasSubstr;

Json step(int64_t n, double loss, double norm = 1) {
  return {{"event", "step"}, {"stage", "base"}, {"step", n}, {"train_loss", loss}, {"learning_rate", 3e-4}, {"grad_norm", norm},
          {"timing", {{"step_time_sec", 0.5}, {"tokens_per_sec", 2000.0}}}};
}
Json eval(int64_t n, double train, double val) {
  return {{"event", "eval"}, {"stage", "base"}, {"step", n}, {"train_loss", train}, {"val_loss", val}, {"val_loss_stderr", 0.01},
          {"val_bpb", val / 2}, {"val_bpb_stderr", 0.005}, {"val_tokens", 4096}, {"val_bytes", 9000}, {"best", true}};
}

std::vector<Json> run(std::vector<double> vals) {
  std::vector<Json> events;
  int64_t n = 0;
  for (double val : vals) {
    events.push_back(step(n + 1, val + 0.2));
    events.push_back(step(n + 2, val));
    n += 2;
    events.push_back(eval(n, val, val));
  }
  return events;
}

TEST(LossRows, HaveTheMeanOfTheStepsBeforeThem) {
  auto rows = loss_rows(run({4, 3}));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_NEAR(rows[0].at("train_loss_mean").get<double>(), 4.1, 1e-12);
  EXPECT_EQ(rows[1].at("val_bpb"), 1.5);
  EXPECT_EQ(rows[1].at("interval_steps"), 2);
  EXPECT_EQ(rows[1].at("timing").at("tokens_per_sec"), 2000.0);
  EXPECT_EQ(rows[1].at("timing").at("elapsed_sec"), 2.0);
  EXPECT_TRUE(rows[1].at("train_bpb").is_null()) << "not measured";
}

TEST(LossDiagnostics, EachStatus) {
  auto status = [](const std::vector<Json>& events) { return loss_diagnostics(loss_rows(events)).at("status").get<std::string>(); };
  EXPECT_EQ(status(run({4, 3, 2})), "stable");
  EXPECT_EQ(status({}), "unknown");
  EXPECT_EQ(status(run({4, 2, 3})), "watch-val-regression");
  std::vector<Json> gap = {step(1, 1.0), eval(1, 1.0, 2.5)};
  EXPECT_EQ(status(gap), "watch-gap");
  std::vector<Json> memorized = {step(1, 2.0), eval(1, 2.0, 2.0), step(2, 0.5), eval(2, 0.5, 2.5)};
  EXPECT_EQ(status(memorized), "memorization-risk");
  auto diagnostics = loss_diagnostics(loss_rows(memorized));
  EXPECT_EQ(diagnostics.at("recommended_checkpoint_step"), 1);
  EXPECT_NEAR(diagnostics.at("val_regression").get<double>(), 0.5, 1e-12);
  EXPECT_EQ(diagnostics.at("recommendations").size(), 3u);
}

TEST(Stability, WarnsOfWhatHappenedOnly) {
  std::vector<Json> calm = {step(1, 4, 3), step(2, 3, 2), step(3, 2, 1)};
  EXPECT_EQ(optimization_stability(calm, 1).at("status"), "stable");
  std::vector<Json> wild = {step(1, 4, 3), step(2, 3, 120), step(3, 2, 1)};
  auto warned = optimization_stability(wild, 1);
  EXPECT_EQ(warned.at("status"), "warn");
  EXPECT_EQ(warned.at("max_grad_norm"), 120.0);
  EXPECT_EQ(optimization_stability({}, 0).at("max_grad_norm"), nullptr);
}

TEST(Coverage, CountsTokensAndReplay) {
  TrainFacts facts{.stage = "base", .planned_steps = 100, .actual_steps = 50, .micro_batch_size = 4, .grad_accum_steps = 2, .world_size = 1, .context_size = 128,
                   .train_tokens = 5120, .dataset_tokens = 6400};
  auto cover = coverage(facts);
  EXPECT_EQ(cover.at("tokens_per_step_estimate"), 1024);
  EXPECT_EQ(cover.at("actual_training_tokens"), 51200);
  EXPECT_EQ(cover.at("planned_training_tokens"), 102400);
  EXPECT_EQ(cover.at("estimated_train_epochs"), 10.0);
  EXPECT_THAT(cover.at("warnings")[0].get<std::string>(), HasSubstr("moderate replay"));
}

TEST(TrainReport, ClockFieldsStayInTiming) {
  TrainFacts facts{.stage = "base", .planned_steps = 4, .actual_steps = 4, .flops_per_token = 1e6, .stop_reason = "max_steps", .sample = "once upon"};
  facts.config = {{"optimizer", "adamw"}, {"estimated_peak_flops_per_sec", 4e9}};
  facts.model = {{"num_parameters", 1000}};
  auto events = run({4, 3});
  auto slower = events;
  for (auto& event : slower)
    if (event.contains("timing")) event["timing"]["step_time_sec"] = 7.0;
  auto strip = [](Json report) {
    report.erase("timing");
    for (auto& row : report["losses"]) row.erase("timing");
    return base::dump(report);
  };
  auto report = build_train_report(facts, events);
  EXPECT_EQ(strip(report), strip(build_train_report(facts, slower)));
  EXPECT_EQ(report.at("timing").at("throughput").at("avg_tokens_per_sec"), 2000.0);
  EXPECT_NEAR(report.at("timing").at("throughput").at("avg_mfu").get<double>(), 0.5, 1e-12);
}

TEST(TrainReport, WritesReadableFiles) {
  const test::TemporaryFolder folder;
  TrainFacts facts{.stage = "base", .planned_steps = 4, .actual_steps = 4, .stop_reason = "max_steps", .sample = "once ``` upon"};
  auto events = run({4, 3});
  auto report = build_train_report(facts, events);
  write_train_report(base::real_file_system(), folder.path(), "train_report.json", report, events);
  std::string svg = base::read_file(folder / "curves.svg"), text = base::read_file(folder / "report.md");
  EXPECT_THAT(svg, testing::StartsWith("<svg"));
  EXPECT_THAT(svg, HasSubstr("best checkpoint"));
  EXPECT_THAT(text, HasSubstr("1.5000 +- 0.0050"));
  EXPECT_THAT(text, HasSubstr("**stable**"));
  auto summary = stage_summary(base::read_json(folder / "train_report.json"));
  EXPECT_EQ(summary.at("best_val_loss"), 3.0);
  EXPECT_EQ(summary.at("best_val_bpb_stderr"), 0.005);
  EXPECT_TRUE(summary.at("memorization").is_null());
}

}  // namespace
}  // namespace picochat::evidence
