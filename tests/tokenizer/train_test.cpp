#include "picochat/tokenizer/train.hpp"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "picochat/base/random.hpp"
#include "tokenizer/training_texts.hpp"

namespace picochat::tokenizer {
namespace {

using Merges = std::vector<std::pair<std::string, std::string>>;

Merges merges_of(const Tokenizer& tokenizer) {
  return nlohmann::json::parse(tokenizer.to_json()).at("model").at("merges").get<Merges>();
}

// Words of a made-up language with a few frequent ones, enough to fill several reading batches.
std::vector<std::string> made_up_documents(size_t bytes) {
  base::Random random(11, "made_up");
  const std::vector<std::string> syllables = {"ka", "lo", "mi", "ren", "tu", "s", "\u00E9", "\u0448\u0430", "\u4E2D"};
  std::vector<std::string> documents;
  for (size_t size = 0; size < bytes; size += documents.back().size()) {
    std::string& text = documents.emplace_back();
    for (uint64_t words = 20 + random.below(400); words > 0; --words) {
      for (uint64_t parts = 1 + random.below(4); parts > 0; --parts) {
        uint64_t a = random.below(syllables.size()), b = random.below(syllables.size());
        text += syllables[std::min(a, b)];
      }
      text += random.below(12) ? " " : ".\n";
    }
  }
  return documents;
}

// By the definition: count all pairs, take the most frequent (ties: smaller ids), merge, again.
Merges merges_by_definition(const std::string& word, int64_t repeats, size_t vocab_size) {
  auto base_tokenizer = train_on({}, {.type = "byte"});
  std::map<std::string, TokenId> ids;
  for (TokenId id = kSpecialTokens; id < 264; ++id) ids[std::string(base_tokenizer->token_bytes(id))] = id;
  std::vector<std::string> parts;
  for (char c : word) parts.emplace_back(1, c);
  Merges merges;
  while (ids.size() + kSpecialTokens < vocab_size) {
    std::map<std::pair<TokenId, TokenId>, int64_t> counts;
    std::map<std::pair<TokenId, TokenId>, std::pair<std::string, std::string>> text;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      std::pair key(ids.at(parts[i]), ids.at(parts[i + 1]));
      counts[key] += repeats;
      text[key] = {parts[i], parts[i + 1]};
    }
    if (counts.empty()) break;
    auto best = counts.begin();
    for (auto at = counts.begin(); at != counts.end(); ++at)
      if (at->second > best->second) best = at;
    auto pair = text.at(best->first);
    if (std::find(merges.begin(), merges.end(), pair) == merges.end()) merges.push_back(pair);
    ids.emplace(pair.first + pair.second, static_cast<TokenId>(ids.size() + kSpecialTokens));
    std::vector<std::string> merged;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i + 1 < parts.size() && parts[i] == pair.first && parts[i + 1] == pair.second) merged.push_back(parts[i] + parts[i + 1]), ++i;
      else merged.push_back(parts[i]);
    }
    parts = merged;
  }
  return merges;
}

TEST(Train, EqualsTheDefinitionOnHardWords) {
  base::Random random(2, "words");
  for (int round = 0; round < 300; ++round) {
    std::string word;  // few letters: overlapping pairs, and tokens that two pairs spell
    for (uint64_t i = 2 + random.below(40); i > 0; --i) word += static_cast<char>('a' + random.below(1 + round % 3));
    std::vector<std::string> texts(1 + round % 2, word);
    ASSERT_EQ(merges_of(*train_on(texts, {.vocab_size = 300})), merges_by_definition(word, 1, 300)) << word;
  }
}

TEST(Train, ThreadsDoNotChangeTheFile) {
  const auto documents = made_up_documents(6 << 20);
  std::string one = train_on(documents, {.vocab_size = 3000, .threads = 1})->to_json();
  EXPECT_TRUE(train_on(documents, {.vocab_size = 3000, .threads = 2})->to_json() == one);
  EXPECT_TRUE(train_on(documents, {.vocab_size = 3000, .threads = 5})->to_json() == one);
}

TEST(Train, OrderOfDocumentsDoesNotChangeTheMerges) {
  auto documents = made_up_documents(1 << 20);
  Merges forward = merges_of(*train_on(documents, {.vocab_size = 1500}));
  std::reverse(documents.begin(), documents.end());
  EXPECT_EQ(merges_of(*train_on(documents, {.vocab_size = 1500})), forward);
}

TEST(Train, MinimumFrequencyEndsLearning) {
  TrainStatistics statistics;
  auto tokenizer = train_on({"ab ab ab cd cd"}, {.vocab_size = 1000, .min_freq = 3}, &statistics);
  EXPECT_EQ(merges_of(*tokenizer), (Merges{{"a", "b"}}));
  EXPECT_EQ(statistics.merges, 1);
  EXPECT_EQ(statistics.documents, 1u);
  EXPECT_EQ(statistics.bytes, 14u);
}

TEST(Train, DroppingRarePiecesKeepsTheFrequentOnesAndThreadInvariance) {
  // Past 2,000 distinct pieces at the end of a round the rarest go.
  std::vector<std::string> documents;
  base::Random random(4, "rare");
  for (int i = 0; i < 4000; ++i) {
    std::string word;
    for (int j = 0; j < 9; ++j) word += static_cast<char>('a' + random.below(26));
    documents.push_back("the thesis " + word);
  }
  TrainStatistics statistics;
  TrainOptions options{.vocab_size = 270, .threads = 1, .max_distinct_pieces = 2000};
  auto tokenizer = train_on(documents, options, &statistics);
  EXPECT_GT(statistics.dropped_pieces, 2000u);
  EXPECT_LE(statistics.distinct_pieces, 1000u);
  EXPECT_EQ(tokenizer->encode("the").size(), 1u);
  options.threads = 3;
  EXPECT_EQ(train_on(documents, options)->to_json(), tokenizer->to_json());
}

TEST(Train, ASampleIsWithinItsBudgetWhateverTheOrder) {
  auto documents = made_up_documents(1 << 20);
  auto taken = [&](uint64_t budget) {
    std::vector<std::string> texts;
    auto sample = sample_documents([&] { return stream_of(documents); }, budget);
    EXPECT_EQ(sample.documents_in_all, documents.size());
    for (std::string text; sample.documents(text);) texts.push_back(text);
    std::sort(texts.begin(), texts.end());
    return texts;
  };
  const auto some = taken(200'000);
  size_t bytes = 0;
  for (const auto& text : some) bytes += text.size();
  EXPECT_LE(bytes, 200'000u);
  EXPECT_GT(bytes, 180'000u);
  std::reverse(documents.begin(), documents.end());
  EXPECT_EQ(taken(200'000), some);
  EXPECT_EQ(taken(uint64_t{1} << 40).size(), documents.size());
  EXPECT_THROW(taken(1), base::Error);
}

TEST(Train, WithoutSplitMergesCrossSpaces) {
  auto tokenizer = train_on({"to be or not to be or not to be or not to be"}, {.vocab_size = 300, .pretokenizer = "char"});
  EXPECT_LT(tokenizer->encode("to be or not to be").size(), 4u);
}

TEST(Train, RefusesWhatCannotWork) {
  EXPECT_THROW(train_on({"x"}, {.vocab_size = 263}), base::Error);
  EXPECT_THROW(train_on({"x"}, {.type = "wordpiece"}), base::Error);
  EXPECT_THROW(train_on({"x"}, {.pretokenizer = "none"}), base::Error);
  EXPECT_THROW(train_on({"x"}, {.min_freq = 0}), base::Error);
  try {
    train_on({"", ""}, {});
    FAIL() << "no text was accepted";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
  }
}

TEST(Train, AnErrorOfTheStreamComesThrough) {
  int calls = 0;
  auto stream = [&](std::string& text) -> bool {
    if (++calls == 5) throw base::bad_input({.what = "row 5 is broken"});
    text = "some text";
    return true;
  };
  EXPECT_THROW(train_tokenizer({.threads = 3}, stream), base::Error);
  EXPECT_EQ(calls, 5);
}

}  // namespace
}  // namespace picochat::tokenizer
