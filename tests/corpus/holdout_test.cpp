#include "picochat/corpus/holdout.hpp"

#include <gtest/gtest.h>

#include <set>

#include "picochat/base/random.hpp"

namespace picochat::corpus {
namespace {

std::vector<HoldoutDocument> random_documents(size_t count, uint64_t seed) {
  base::Random random(seed, "holdout_test");
  std::vector<HoldoutDocument> documents;
  for (size_t i = 0; i < count; ++i) documents.push_back({random.next_u64(), 50 + random.below(500)});
  return documents;
}

std::set<uint64_t> held_keys(const std::vector<HoldoutDocument>& documents, const HoldoutPlan& plan) {
  std::set<uint64_t> keys;
  for (size_t i : plan.documents) keys.insert(documents[i].key);
  return keys;
}

void expect_sound(const std::vector<HoldoutDocument>& documents, const HoldoutPlan& plan, uint64_t context) {
  uint64_t total = 0, held = 0, lost = 0, end = 0;
  for (const auto& document : documents) total += document.tokens;
  for (const auto& range : plan.ranges) {
    EXPECT_GE(range.gap_begin, end);
    EXPECT_LE(range.gap_begin, range.begin);
    EXPECT_LE(range.begin, range.end);
    EXPECT_LE(range.end, range.gap_end);
    if (!plan.by_document) {
      EXPECT_EQ(range.begin - range.gap_begin, context);
      EXPECT_EQ(range.gap_end - range.end, context);
    }
    held += range.end - range.begin;
    lost += range.gap_end - range.gap_begin - (range.end - range.begin);
    end = range.gap_end;
  }
  EXPECT_LE(end, total);
  EXPECT_EQ(held, plan.tokens);
  EXPECT_EQ(lost, plan.lost_tokens);
}

TEST(Holdout, TakesDocumentsOfSmallestKeyUntilThereAreEnoughTokens) {
  const auto documents = random_documents(1000, 1);
  const HoldoutPlan plan = plan_holdout(documents, 10000, 128);
  ASSERT_TRUE(plan.by_document);
  EXPECT_GE(plan.tokens, 10000u);
  EXPECT_LT(plan.tokens, 10550u);
  EXPECT_EQ(plan.lost_tokens, 0u);
  const auto held = held_keys(documents, plan);
  for (const auto& document : documents) EXPECT_EQ(held.count(document.key) == 1, document.key <= *held.rbegin());
  expect_sound(documents, plan, 128);
}

TEST(Holdout, IsStableUnderReorderingAndGrowth) {
  auto documents = random_documents(2000, 2);
  const auto before = held_keys(documents, plan_holdout(documents, 20000, 128));
  base::Random(3, "shuffle").shuffle(std::span(documents));
  EXPECT_EQ(held_keys(documents, plan_holdout(documents, 20000, 128)), before);
  // Growth: newcomers may push held-out documents of the largest keys into training; nothing moves the other way.
  const auto more = random_documents(500, 4);
  const auto old = documents;
  documents.insert(documents.end(), more.begin(), more.end());
  const auto after = held_keys(documents, plan_holdout(documents, 20000, 128));
  for (const auto& document : old) EXPECT_TRUE(before.count(document.key) || !after.count(document.key));
}

TEST(Holdout, ExactDuplicatesStayOnOneSide) {
  auto documents = random_documents(200, 5);
  for (size_t i = 0; i < 200; ++i) documents.push_back(documents[i]);
  const HoldoutPlan plan = plan_holdout(documents, 3000, 64);
  ASSERT_TRUE(plan.by_document);
  EXPECT_EQ(plan.documents.size() % 2, 0u);
  EXPECT_EQ(held_keys(documents, plan).size() * 2, plan.documents.size());
}

TEST(Holdout, FewDocumentsGiveFencedBlocks) {
  for (size_t count : {1, 2, 19}) {
    std::vector<HoldoutDocument> documents(count, HoldoutDocument{7, 400000});
    const HoldoutPlan plan = plan_holdout(documents, 32000, 256);
    EXPECT_FALSE(plan.by_document);
    EXPECT_EQ(plan.tokens, 32000u);
    EXPECT_EQ(plan.ranges.size(), 8u) << "spread over the text";
    EXPECT_LE(plan.lost_tokens * 4, plan.tokens);
    expect_sound(documents, plan, 256);
  }
}

TEST(Holdout, NeverMoreThanATenth) {
  std::vector<HoldoutDocument> one = {{1, 300000}};
  EXPECT_EQ(plan_holdout(one, 1000000, 128).tokens, 30000u / 8 * 8);
  const auto documents = random_documents(100, 6);
  uint64_t total = 0;
  for (const auto& document : documents) total += document.tokens;
  EXPECT_LT(plan_holdout(documents, 1000000, 128).tokens, total / 10 + 550);
}

TEST(Holdout, OneHugeDocumentIsNotHeldOutWhole) {
  auto documents = random_documents(40, 7);
  documents.push_back({0, 5000000});  // the smallest key
  const HoldoutPlan plan = plan_holdout(documents, 32000, 128);
  EXPECT_FALSE(plan.by_document);
  EXPECT_EQ(plan.tokens, 32000u);
  expect_sound(documents, plan, 128);
}

TEST(Holdout, ACorpusTooSmallForAnyWindowGivesNothing) {
  EXPECT_EQ(plan_holdout({}, 1000, 128).tokens, 0u);
  std::vector<HoldoutDocument> tiny = {{1, 200}};
  EXPECT_EQ(plan_holdout(tiny, 1000, 128).tokens, 0u);
  EXPECT_TRUE(plan_holdout(tiny, 1000, 128).ranges.empty());
}

}  // namespace
}  // namespace picochat::corpus
