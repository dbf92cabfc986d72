#include "picochat/factory/lr_range_summary.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace picochat::factory {
namespace {

// Losses at learning rates 1, 2, 4, ...; no smoothing, so that every figure can be told by eye.
struct Outcome {
  std::vector<LrRangeRow> rows;
  bool diverged = false;
};

Outcome watch(const std::vector<double>& losses, int64_t planned, double factor = 4) {
  Outcome out;
  double rate = 1;
  for (size_t i = 0; i < losses.size() && !out.diverged; ++i, rate *= 2) {
    out.rows.push_back({static_cast<int64_t>(i) + 1, rate, losses[i], 0});
    smooth_and_judge(out.rows, 0, planned, factor, out.diverged);
  }
  return out;
}

TEST(LrRange, StopsWhereTheLossLeavesItsBestBehindAndRecommendsLess) {
  const auto seen = watch({8, 7, 6, 5, 4, 2, 2.2, 2.3, 9, 50}, 10);
  ASSERT_TRUE(seen.diverged);
  EXPECT_EQ(seen.rows.size(), 9u) << "the step after the divergence is not run";
  const auto summary = lr_range_summary(seen.rows, 10, 1, seen.diverged);
  EXPECT_EQ(summary.at("stop_reason"), "diverged");
  EXPECT_EQ(summary.at("best_step"), 6);
  EXPECT_EQ(summary.at("safe_lr_ceiling"), 128);  // 2.3 is within 1.2 of the best, 9 is not
  EXPECT_EQ(summary.at("recommended_lr"), 32);    // the lower of 128 / 3 and the best step's 32
}

// With the usual smoothing a loss that falls at once and then rises must not hide behind its first value.
TEST(LrRange, TheFirstLossesAreForgottenInAShortRange) {
  std::vector<LrRangeRow> rows;
  bool diverged = false;
  double rate = 1;
  for (double loss : {8.0, 4.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 28.0, 32.0, 36.0, 40.0}) {
    rows.push_back({static_cast<int64_t>(rows.size()) + 1, rate, loss, 0});
    smooth_and_judge(rows, 0.98, 20, 100, diverged);
    rate *= 2;
  }
  const auto summary = lr_range_summary(rows, 20, 1, diverged);
  EXPECT_NEAR(rows[9].smooth, 2.9, 0.2) << "the mean of the first ten, nearly";
  EXPECT_LE(summary.at("best_step"), 11);
  EXPECT_LE(summary.at("safe_lr_ceiling"), 4096);
}

TEST(LrRange, SaysWhenTheRangeWasTooLowToTell) {
  const auto seen = watch({8, 7, 6, 5, 4, 3, 2, 1.5}, 8);
  EXPECT_FALSE(seen.diverged);
  const auto summary = lr_range_summary(seen.rows, 8, 1, seen.diverged);
  EXPECT_EQ(summary.at("stop_reason"), "max_steps");
  EXPECT_NE(summary.at("recommendation_note").get<std::string>().find("--max-lr"), std::string::npos);
}

TEST(LrRange, LossThatIsNotANumberStopsAtOnce) {
  EXPECT_TRUE(watch({8, std::numeric_limits<double>::quiet_NaN()}, 100).diverged);
}

}  // namespace
}  // namespace picochat::factory
