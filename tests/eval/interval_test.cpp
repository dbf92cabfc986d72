#include "picochat/eval/interval.hpp"

#include <gtest/gtest.h>

namespace picochat::eval {
namespace {

TEST(NormalQuantile, AgreesWithPublishedValues) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-13);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-15);
  EXPECT_NEAR(normal_quantile(0.995), 2.5758293035489004, 1e-12);
  EXPECT_NEAR(normal_quantile(0.001), -3.090232306167813, 1e-12);
}

// By hand for 8 of 10: p = 0.8, z^2 = 3.8415; centre (0.8 + 0.19207) / 1.38415 = 0.71674,
// half width 1.95996 / 1.38415 * sqrt(0.016 + 0.0096036) = 0.22657.
TEST(WilsonInterval, EightOfTenByHand) {
  auto interval = wilson_interval(8, 10);
  ASSERT_TRUE(interval);
  EXPECT_NEAR(interval->low, 0.4901625, 1e-6);
  EXPECT_NEAR(interval->high, 0.9433178, 1e-6);
}

TEST(WilsonInterval, HasWidthAtTheEnds) {
  auto none = wilson_interval(0, 10), all = wilson_interval(10, 10);
  EXPECT_EQ(none->low, 0);
  EXPECT_NEAR(none->high, 0.2775328, 1e-6);
  EXPECT_NEAR(all->low, 0.7224672, 1e-6);
  EXPECT_EQ(all->high, 1);
}

TEST(WilsonInterval, LowerConfidenceIsNarrower) {
  auto wide = wilson_interval(31, 50, 0.99), narrow = wilson_interval(31, 50, 0.8);
  EXPECT_LT(wide->low, narrow->low);
  EXPECT_GT(wide->high, narrow->high);
}

TEST(Rates, OfNothingAreNotMeasured) {
  EXPECT_FALSE(wilson_interval(0, 0));
  EXPECT_TRUE(interval_json(0, 0).is_null());
  EXPECT_TRUE(rate_json(0, 0).is_null());
  EXPECT_EQ(rate_text(0, 0), "not measured");
}

TEST(Rates, ReadAsAPersonWouldWriteThem) {
  EXPECT_EQ(rate_text(8, 10), "80.0% [49.0, 94.3] (8/10)");
  auto json = interval_json(8, 10);
  EXPECT_EQ(json.at("method"), "wilson");
  EXPECT_EQ(json.at("n"), 10);
  EXPECT_EQ(json.at("confidence"), 0.95);
}

}  // namespace
}  // namespace picochat::eval
