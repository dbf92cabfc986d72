#include "picochat/train/schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "picochat/train/spike_watch.hpp"
#include "picochat/train/validation.hpp"

namespace picochat::train {
namespace {

TEST(LearningRate, WarmsUpLinearlyThenFollowsTheCosineToTheFloor) {
  const LearningRateSchedule schedule{.peak = 1e-3, .warmup_steps = 10, .max_steps = 110, .decay = "cosine", .min_ratio = 0.1};
  EXPECT_DOUBLE_EQ(schedule.at(1), 1e-4);
  EXPECT_DOUBLE_EQ(schedule.at(10), 1e-3);
  EXPECT_NEAR(schedule.at(60), 1e-3 * (0.1 + 0.9 * 0.5), 1e-12);
  EXPECT_NEAR(schedule.at(110), 1e-4, 1e-12);
}

TEST(LearningRate, LinearAndNone) {
  EXPECT_NEAR((LearningRateSchedule{.peak = 1, .max_steps = 100, .decay = "linear", .min_ratio = 0}.at(75)), 0.25, 1e-12);
  EXPECT_EQ((LearningRateSchedule{.peak = 1, .max_steps = 100}.at(100)), 1);
}

TEST(Schedules, WeightDecayAndMuonMomentum) {
  EXPECT_DOUBLE_EQ(weight_decay_at(0.1, "none", 5, 10), 0.1);
  EXPECT_NEAR(weight_decay_at(0.1, "cosine_to_zero", 11, 11), 0, 1e-12);
  EXPECT_NEAR(muon_momentum_at("peaked", 1, 101), 0.85, 1e-12);
  EXPECT_NEAR(muon_momentum_at("peaked", 51, 101), 0.97, 1e-12);
  EXPECT_NEAR(muon_momentum_at("peaked", 101, 101), 0.90, 1e-12);
}

TEST(SpikeWatch, SeesSpikesAndNonFiniteLossesAndLimitsItsWarnings) {
  SpikeWatch watch({.threshold = 2.5, .snapshot_every = 10});
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(watch.observe(3.0).spike);
  EXPECT_FALSE(watch.observe(7.4).spike);
  EXPECT_TRUE(watch.observe(30.0).spike);
  EXPECT_TRUE(watch.observe(std::numeric_limits<double>::quiet_NaN()).spike);
  EXPECT_FALSE(watch.observe(3.1).spike) << "a spike must not move the baseline";
  EXPECT_TRUE(watch.may_warn(100));
  EXPECT_FALSE(watch.may_warn(109));
  EXPECT_TRUE(watch.may_warn(110));
}

TEST(Validation, RatioAndItsStandardErrorMatchHandComputedValues) {
  // Three windows of 2 tokens and 4 bytes: 2, 4 and 6 nats of text.
  const auto result = summarize({{2, 2, 2, 4}, {4, 4, 2, 4}, {6, 6, 2, 4}});
  EXPECT_DOUBLE_EQ(result.loss, 2);
  EXPECT_NEAR(result.bpb, 1 / std::log(2.0), 1e-12);
  // Residuals y - R x = -2, 0, 2: sqrt(3/2 * 8) / 12 nats per byte.
  EXPECT_NEAR(result.bpb_stderr, std::sqrt(12.0) / 12 / std::log(2.0), 1e-12);
  EXPECT_EQ(result.tokens, 6);
}

}  // namespace
}  // namespace picochat::train
