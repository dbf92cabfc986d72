#include "picochat/tasks/similarity.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "picochat/base/random.hpp"

namespace picochat::tasks {
namespace {

TEST(ComparisonText, WordsOfAnyScript) {
  EXPECT_EQ(comparison_text("What's  UP, Doc?!"), "whats up doc");
  EXPECT_EQ(comparison_text("1,234 and 5, 6"), "1234 and 5 6");
  EXPECT_EQ(comparison_text("Straße ÄÖ"), "strasse ao");
  EXPECT_EQ(comparison_text("你好 world"), "你 好 world");
  EXPECT_EQ(comparison_text("Привет, МИР"), "привет мир");
  EXPECT_EQ(comparison_text("3+4 = 7"), "3 + 4 = 7");
  EXPECT_EQ(comparison_text("8x5"), comparison_text("8 x 5"));
  EXPECT_EQ(comparison_text("8 × 5"), comparison_text("8 x 5"));
  EXPECT_EQ(comparison_text("well-known - fact"), "well known fact");
  EXPECT_EQ(comparison_text("\"quoted\" 'word'"), "quoted word");
  EXPECT_EQ(comparison_text("bad \xff bytes\xc3"), "bad bytes");
}

TEST(Similarity, SameQuestionInOtherWords) {
  auto sim = [](const char* a, const char* b) { return prompt_similarity(comparison_text(a), comparison_text(b)); };
  EXPECT_EQ(sim("Where is it?", "where IS it"), 1);
  EXPECT_GT(sim("Which planet is known as the red planet today", "Which planet is known as the red planet"), 0.86);
  EXPECT_GT(sim("What is the captial of France?", "What is the capital of France?"), 0.9);
  EXPECT_LT(sim("What is the capital of France?", "How do plants make food?"), 0.7);
  EXPECT_EQ(sim("What is 12 + 30?", "What is 12 + 31?"), 0);
  EXPECT_EQ(sim("What is 12 + 30?", "What is 12 - 30?"), 0);
}

// The plain definition, against which the filters and the bit-parallel form are checked.
double plain_ratio(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1, 0);
  for (char x : a) {
    size_t diagonal = 0;
    for (size_t j = 0; j < b.size(); ++j) {
      size_t above = row[j + 1];
      row[j + 1] = x == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return 2.0 * static_cast<double>(row[b.size()]) / static_cast<double>(a.size() + b.size());
}

TEST(Similarity, FiltersMissNothing) {
  base::Random random(7, "similarity");
  std::vector<std::string> texts;
  for (int i = 0; i < 120; ++i) {
    std::string text;
    if (i > 0 && random.below(2) == 0) {  // an edited copy
      text = texts[random.below(texts.size())];
      for (int k = 0; k < 6 && !text.empty(); ++k) text[random.below(text.size())] = static_cast<char>('a' + random.below(26));
    } else {
      for (uint64_t k = 20 + random.below(150); k > 0; --k) text += random.below(6) == 0 ? ' ' : static_cast<char>('a' + random.below(26));
    }
    texts.push_back(comparison_text(text));
  }
  std::vector<NearPair> found = near_pairs(texts, 0.8);
  size_t expected = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    for (size_t j = i + 1; j < texts.size(); ++j) expected += plain_ratio(texts[i], texts[j]) >= 0.8;
  }
  EXPECT_GT(expected, 10u);
  EXPECT_EQ(found.size(), expected);
  for (const NearPair& pair : found) EXPECT_NEAR(pair.similarity, std::max(pair.similarity, plain_ratio(texts[pair.a], texts[pair.b])), 1e-12);
}

}  // namespace
}  // namespace picochat::tasks
