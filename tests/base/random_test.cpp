#include "picochat/base/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "picochat/base/error.hpp"

namespace picochat::base {
namespace {

TEST(Random, PhiloxGivesThePublishedAnswers) {  // Random123's kat_vectors for philox4x32-10
  using Block = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

std::vector<uint64_t> draws(Random random, int count) {
  std::vector<uint64_t> values;
  for (int i = 0; i < count; ++i) values.push_back(random.next_u64());
  return values;
}

TEST(Random, AStreamIsAFunctionOfSeedNameAndStart) {
  EXPECT_EQ(draws(Random(7, "init"), 10), draws(Random(7, "init"), 10));
  EXPECT_NE(draws(Random(7, "init"), 10), draws(Random(8, "init"), 10));
  EXPECT_NE(draws(Random(7, "init"), 10), draws(Random(7, "sampling"), 10));
}

TEST(Random, StartingLaterContinuesTheSameStream) {  // one block is four 32-bit draws
  const auto from_zero = draws(Random(7, "init"), 10), from_block_two = draws(Random(7, "init", 2), 6);
  EXPECT_EQ(std::vector<uint64_t>(from_zero.begin() + 4, from_zero.end()), from_block_two);
}

TEST(Random, BelowIsUniform) {
  Random random(1, "below");
  std::vector<int> counts(7);
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) ++counts[random.below(7)];
  double chi_square = 0;
  for (int count : counts) chi_square += (count - 1e4) * (count - 1e4) / 1e4;
  EXPECT_LT(chi_square, 22.5);  // 6 degrees of freedom, p = 0.001
  EXPECT_EQ(random.below(1), 0u);
  EXPECT_THROW(random.below(0), Error);
}

TEST(Random, BetweenReachesBothEnds) {
  Random random(1, "between");
  std::set<int64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(random.between(-2, 2));
  EXPECT_EQ(seen, (std::set<int64_t>{-2, -1, 0, 1, 2}));
  EXPECT_NO_THROW(random.between(INT64_MIN / 2, INT64_MAX / 2));
}

TEST(Random, UniformAndNormalHaveTheirMoments) {
  Random random(3, "moments");
  constexpr int kDraws = 200000;
  double sum = 0, normal_sum = 0, normal_squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform(), z = random.normal();
    ASSERT_TRUE(u >= 0 && u < 1 && std::isfinite(z));
    sum += u;
    normal_sum += z;
    normal_squares += z * z;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.003);  // 4 to 5 standard errors each
  EXPECT_NEAR(normal_sum / kDraws, 0, 0.01);
  EXPECT_NEAR(normal_squares / kDraws, 1, 0.015);
}

TEST(Random, ShuffleKeepsEveryElementAndRepeats) {
  std::vector<int> values(100), again;
  std::iota(values.begin(), values.end(), 0);
  again = values;
  const auto sorted = values;
  Random(5, "shuffle").shuffle(std::span<int>(values));
  Random(5, "shuffle").shuffle(std::span<int>(again));
  EXPECT_EQ(values, again);
  EXPECT_NE(values, sorted);
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, sorted);
}

class PermutationOfSize : public ::testing::TestWithParam<uint64_t> {};

TEST_P(PermutationOfSize, VisitsEveryIndexOnce) {
  const uint64_t size = GetParam();
  const Permutation permutation(size, 42);
  std::vector<bool> seen(size);
  for (uint64_t i = 0; i < size; ++i) {
    const uint64_t value = permutation(i);
    ASSERT_LT(value, size);
    ASSERT_FALSE(seen[value]);
    seen[value] = true;
  }
}
INSTANTIATE_TEST_SUITE_P(Sizes, PermutationOfSize, ::testing::Values(1, 2, 3, 4, 5, 15, 16, 17, 1000, 65537));

TEST(Permutation, KeysGiveDifferentOrders) {
  const Permutation one(1000, 1), two(1000, 2);
  int equal = 0, in_place = 0;
  for (uint64_t i = 0; i < 1000; ++i) equal += one(i) == two(i), in_place += one(i) == i;
  EXPECT_LT(equal, 15);
  EXPECT_LT(in_place, 15);
}

TEST(Permutation, HandlesLargeRangesAndRefusesIndicesOutside) {
  const uint64_t size = (uint64_t{1} << 50) + 3;
  const Permutation permutation(size, 9);
  for (uint64_t i : {uint64_t{0}, size / 2, size - 1}) EXPECT_LT(permutation(i), size);
  EXPECT_THROW(permutation(size), Error);
  EXPECT_THROW(Permutation(0, 1)(0), Error);
}

}  // namespace
}  // namespace picochat::base
