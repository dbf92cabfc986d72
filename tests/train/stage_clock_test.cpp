#include "train/stage_clock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picochat::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// 100 steps of a second and 1,000 tokens; 20 s of evaluations, 5 s of checkpoints.
StageClock after_hundred_steps(StageClock clock) {
  for (int i = 0; i < 100; ++i) clock.stepped(1, 1000);
  clock.evaluated(20);
  clock.saved(5);
  return clock;
}

TEST(StageClock, RatesCountStepsAlone) {
  auto clock = after_hundred_steps(StageClock(6e9, 989e12, 2, [] { return 12e12; }));
  const std::string line = clock.line(125, 100, 300);
  EXPECT_THAT(line, HasSubstr("| 1.00k tok/s | mfu 0.6% | 50% of gemm | "));  // 6e12 of 989e12 and of 12e12
  EXPECT_THAT(line, HasSubstr("eval 16%, save 4%"));
  EXPECT_THAT(line, HasSubstr("0.28 USD in all"));  // 500 s at 2 USD an hour
  const auto json = clock.to_json(125);
  EXPECT_EQ(json.at("tokens_per_sec"), 1000.0);
  EXPECT_EQ(json.at("step_seconds"), 100.0);
  EXPECT_EQ(json.at("eval_seconds"), 20.0);
  EXPECT_EQ(json.at("checkpoint_seconds"), 5.0);
  EXPECT_NEAR(json.at("mfu").get<double>(), 6e12 / 989e12, 1e-12);
  EXPECT_EQ(json.at("gemm_share"), 0.5);
  EXPECT_NEAR(json.at("cost_usd").get<double>(), 125.0 / 3600 * 2, 1e-12);
}

TEST(StageClock, TheTimeThatIsLeftHoldsEvaluationsAndCheckpointsToCome) {
  auto clock = after_hundred_steps(StageClock(6e9, 0, 0, nullptr));
  EXPECT_THAT(clock.line(125, 100, 16), HasSubstr("20 s left"));
}

TEST(StageClock, WhatIsNotKnownIsNotSaid) {
  auto clock = after_hundred_steps(StageClock(6e9, 0, 0, nullptr));
  const std::string line = clock.line(125, 100, 0);
  for (const char* word : {"mfu", "gemm", "USD", "left"}) EXPECT_THAT(line, Not(HasSubstr(word)));
  for (const char* key : {"mfu", "gemm_share", "cost_usd"}) EXPECT_FALSE(clock.to_json(125).contains(key));
}

TEST(StageClock, TheRateIsThatSinceTheLastLineAndShortStagesMeasureNothing) {
  int measured = 0;
  StageClock clock(6e9, 0, 0, [&] { return ++measured, 1e12; });
  clock.stepped(1, 1000);
  EXPECT_THAT(clock.line(1, 1, 9), HasSubstr("1.00k tok/s"));
  EXPECT_EQ(measured, 0);
  clock.stepped(1, 3000);
  EXPECT_THAT(clock.line(60, 2, 8), HasSubstr("3.00k tok/s"));
  clock.stepped(1, 3000);
  clock.line(61, 3, 7);
  EXPECT_EQ(measured, 1);
}

}  // namespace
}  // namespace picochat::train
