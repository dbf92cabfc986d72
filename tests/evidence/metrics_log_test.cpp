#include "picochat/evidence/metrics_log.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "picochat/base/error.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::evidence {
namespace {

using base::Json;

class MetricsLogTest : public testing::Test {
 protected:
  static Json step(const std::string& stage, int64_t n) {
    return {{"event", "step"}, {"stage", stage}, {"step", n}, {"train_loss", 4.0 / static_cast<double>(n)}, {"timing", {{"step_time_sec", 0.5}}}};
  }
  static Json end(const std::string& stage, int64_t n) { return {{"event", "stage_end"}, {"stage", stage}, {"step", n}, {"stop_reason", "max_steps"}}; }

  base::FileSystem& files_ = base::real_file_system();
  test::TemporaryFolder folder_;
  const base::Path path_ = folder_ / "metrics.jsonl";
};

TEST_F(MetricsLogTest, LinesAreReadableAtOnceAndStateTheirVersion) {
  MetricsLog log(files_, path_);
  log.append(step("base", 1));
  std::ifstream in(path_);
  std::string header, line;
  std::getline(in, header);
  std::getline(in, line);
  EXPECT_EQ(Json::parse(header), (Json{{"event", "metrics"}, {"version", kMetricsVersion}}));
  EXPECT_EQ(Json::parse(line).at("step"), 1);
  EXPECT_EQ(read_metrics(path_).size(), 1u);
}

TEST_F(MetricsLogTest, ClockFieldsMoveIntoTimingAndNonFiniteNumbersAreNull) {
  MetricsLog log(files_, path_);
  log.append({{"event", "step"}, {"stage", "base"}, {"step", 1}, {"tokens_per_sec", 1000.0}, {"train_loss", std::numeric_limits<double>::quiet_NaN()}});
  auto event = read_metrics(path_).at(0);
  EXPECT_FALSE(event.contains("tokens_per_sec"));
  EXPECT_EQ(event.at("timing").at("tokens_per_sec"), 1000.0);
  EXPECT_TRUE(event.at("train_loss").is_null());
}

TEST_F(MetricsLogTest, ResumingCutsWhatCameAfterTheCheckpoint) {
  std::string uninterrupted;
  {
    MetricsLog log(files_, path_);
    for (int64_t n = 1; n <= 6; ++n) log.append(step("base", n));
    log.append(end("base", 6));
    log.append(step("sft", 1));
    uninterrupted = comparable_metrics(path_);
  }
  cut_metrics(files_, path_, "base", 4);
  auto events = read_metrics(path_);
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events.back().at("step"), 4);
  {
    MetricsLog log(files_, path_);
    for (int64_t n = 5; n <= 6; ++n) log.append(step("base", n));
    log.append(end("base", 6));
    log.append(step("sft", 1));
  }
  EXPECT_EQ(comparable_metrics(path_), uninterrupted);
}

TEST_F(MetricsLogTest, ALaterStageIsCutWithoutTouchingTheEarlierOne) {
  MetricsLog log(files_, path_);
  for (int64_t n = 1; n <= 9; ++n) log.append(step("base", n));
  log.append(end("base", 9));
  for (int64_t n = 1; n <= 3; ++n) log.append(step("sft", n));
  log.rewind("sft", 2);
  EXPECT_EQ(read_metrics(path_, "base").size(), 10u);
  EXPECT_EQ(read_metrics(path_, "sft").size(), 2u);
  log.append(step("sft", 3));
  EXPECT_EQ(read_metrics(path_, "sft").size(), 3u);
}

TEST_F(MetricsLogTest, AFinishedStageThatGoesOnHasOneEnd) {
  MetricsLog log(files_, path_);
  log.append(step("base", 1));
  log.append(end("base", 1));
  log.rewind("base", 1);
  log.append(end("base", 1));
  EXPECT_EQ(read_metrics(path_).size(), 2u);
}

TEST_F(MetricsLogTest, ALineTornByACrashIsDropped) {
  {
    MetricsLog log(files_, path_);
    log.append(step("base", 1));
  }
  std::ofstream(path_, std::ios::app) << "{\"event\":\"step\",\"sta";
  MetricsLog log(files_, path_);
  log.append(step("base", 2));
  auto events = read_metrics(path_);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1].at("step"), 2);
}

TEST_F(MetricsLogTest, CuttingNothingIsFine) {
  EXPECT_NO_THROW(cut_metrics(files_, path_, "base", 3));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(MetricsLogTest, AnotherVersionIsRefused) {
  std::ofstream(path_) << "{\"event\":\"metrics\",\"version\":99}\n";
  try {
    read_metrics(path_);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
    EXPECT_NE(error.details().where.find("metrics.jsonl:1"), std::string::npos);
  }
}

TEST_F(MetricsLogTest, ProgressIsAWholeFile) {
  write_progress(files_, folder_ / "base" / "progress.json", {.stage = "base", .step = 5, .max_steps = 20, .train_loss = 2.5});
  auto progress = base::read_json(folder_ / "base" / "progress.json");
  EXPECT_EQ(progress.at("status"), "in_progress");
  EXPECT_EQ(progress.at("progress"), 0.25);
  EXPECT_TRUE(progress.at("latest_eval").is_null());
  EXPECT_TRUE(progress.at("best_checkpoint").is_null());
}

}  // namespace
}  // namespace picochat::evidence
