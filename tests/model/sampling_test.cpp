#include <gtest/gtest.h>

#include <map>

#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"
#include "picochat/model/sampling.hpp"

#include <cmath>
#include <vector>

namespace picochat::model {
namespace {

std::map<TokenId, double> frequencies(const std::vector<float>& logits, const SamplingOptions& options,
                                      std::vector<TokenId> context = {}) {
  constexpr int kDraws = 40000;
  std::map<TokenId, double> counts;
  for (int i = 0; i < kDraws; ++i)
    counts[sample(logits, context, options, 0, static_cast<uint64_t>(i))] += 1.0 / kDraws;
  return counts;
}

const std::vector<float> kLogits = {0, 1, 3, 2, 3, -1};

TEST(Sampling, GreedyTakesTheLowestIdAmongEquals) { EXPECT_EQ(sample(kLogits, {}, {.temperature = 0}, 0, 0), 2u); }

TEST(Sampling, FrequenciesFollowTheSoftmax) {
  double total = 0;
  for (float logit : kLogits) total += std::exp(logit / 0.8);
  const auto found = frequencies(kLogits, {.temperature = 0.8});
  for (size_t i = 0; i < kLogits.size(); ++i) {
    const double expected = std::exp(kLogits[i] / 0.8) / total;
    const auto at = found.find(static_cast<TokenId>(i));
    EXPECT_NEAR(at == found.end() ? 0 : at->second, expected, 0.01) << i;
  }
}

// Many tokens, most of them masked, in blocks without any weight too.
TEST(Sampling, OfALargeVocabularyFrequenciesFollowTheSoftmaxAndMaskedTokensAreNeverDrawn) {
  std::vector<float> logits(3001, -INFINITY);
  for (size_t i : {0u, 5u, 63u, 64u, 700u, 1500u, 2999u, 3000u}) logits[i] = static_cast<float>(i % 7) * 0.5f;
  double total = 0;
  for (float logit : logits) total += std::exp(logit);
  const auto found = frequencies(logits, {});
  EXPECT_EQ(found.size(), 8u);
  for (const auto& [token, frequency] : found) EXPECT_NEAR(frequency, std::exp(logits[token]) / total, 0.01) << token;
  EXPECT_EQ(frequencies(logits, {.temperature = 1e-45}).size(), 1u) << "the likeliest alone";
}

TEST(Sampling, TopKKeepsTies) {
  const auto found = frequencies(kLogits, {.top_k = 1});
  EXPECT_EQ(found.size(), 2u);
  EXPECT_NEAR(found.at(2), 0.5, 0.01);
  EXPECT_NEAR(found.at(4), 0.5, 0.01);
}

// A penalty looks at every token, and with nothing to penalise it changes none: the draws must be the same.
TEST(Sampling, TopKPassesOverMostTokensAndMissesNone) {
  base::Random random(3, "logits");
  for (const size_t vocabulary : {2u, 15u, 16u, 17u, 300u, 1024u, 8191u})
    for (const int64_t k : {1, 2, 16, 17, 20, 64, 600}) {
      if (k >= static_cast<int64_t>(vocabulary)) continue;  // drops nothing
      std::vector<float> logits(vocabulary);
      for (float& logit : logits) logit = random.below(9) == 0 ? -INFINITY : static_cast<float>(random.below(200)) / 20;  // many equal ones
      logits[vocabulary / 2] = 1;
      for (uint64_t draw = 0; draw < 40; ++draw)
        ASSERT_EQ(sample(logits, {}, {.top_k = k}, 0, draw), sample(logits, {}, {.top_k = k, .repetition_penalty = 2}, 0, draw)) << vocabulary << " tokens, top " << k;
    }
}

TEST(Sampling, TopPKeepsTheTokenThatCrossesIt) {
  // Probabilities 0.4, 0.3, 0.2, 0.1.
  const std::vector<float> logits = {std::log(0.3f), std::log(0.1f), std::log(0.4f), std::log(0.2f)};
  EXPECT_EQ(frequencies(logits, {.top_p = 0.3}).size(), 1u);
  EXPECT_EQ(frequencies(logits, {.top_p = 0.5}).size(), 2u);
  const auto found = frequencies(logits, {.top_p = 0.75});
  EXPECT_EQ(found.size(), 3u);
  EXPECT_NEAR(found.at(2), 0.4 / 0.9, 0.01);
}

TEST(Sampling, RepetitionPenaltyDividesPositiveAndMultipliesNegativeLogits) {
  const std::vector<float> logits = {2, 1.5, -1, -1.5};
  EXPECT_EQ(sample(logits, std::vector<TokenId>{0, 0, 0}, {.temperature = 0, .repetition_penalty = 1.5}, 0, 0), 1u);
  const std::vector<float> negative = {-1, -1.2f};
  EXPECT_EQ(sample(negative, std::vector<TokenId>{0}, {.temperature = 0, .repetition_penalty = 1.5}, 0, 0), 1u);
}

TEST(Sampling, DrawsAreAFunctionOfSeedSequenceAndPosition) {
  std::vector<float> logits(500, 0.0f);
  auto draws = [&](uint64_t seed, uint64_t sequence) {
    std::vector<TokenId> out;
    for (uint64_t position = 0; position < 20; ++position)
      out.push_back(sample(logits, {}, {.seed = seed}, sequence, position));
    return out;
  };
  EXPECT_EQ(draws(1, 1), draws(1, 1));
  EXPECT_NE(draws(1, 1), draws(2, 1));
  EXPECT_NE(draws(1, 1), draws(1, 2));
}

TEST(Sampling, RefusesWhatHasNoMeaning) {
  for (const SamplingOptions& options : {SamplingOptions{.temperature = -1},
                                         {.top_k = -1},
                                         {.top_p = 0},
                                         {.top_p = 1.5},
                                         {.repetition_penalty = 0},
                                         {.temperature = NAN}})
    EXPECT_THROW(options.validate("--flag"), base::Error);
  EXPECT_THROW(sample(std::vector<float>{0, NAN}, {}, {}, 0, 0), base::Error);
}

}  // namespace
}  // namespace picochat::model
