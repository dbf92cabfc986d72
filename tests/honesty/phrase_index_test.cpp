// The index against a plain search that tries every place.
#include "honesty/phrase_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "honesty/alignment.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"

namespace picochat::honesty {
namespace {

using base::cat;

std::vector<uint64_t> words_of(std::string_view text) {
  WordHashes words;
  words.assign(text);
  return words.hashes();
}

// Longest common subsequence, without a band.
size_t common_words(std::span<const uint64_t> a, std::span<const uint64_t> b) {
  std::vector<size_t> row(b.size() + 1, 0);
  for (uint64_t word : a) {
    size_t diagonal = 0;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = word == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

class Phrases : public ::testing::Test {
 protected:
  base::Random random_{11, "phrases"};
  // Few words, so that phrases and texts share many short runs by chance.
  std::string word() { return cat("w", static_cast<char>('a' + random_.below(26)), static_cast<char>('a' + random_.below(3))); }
  std::vector<std::string> some_words(uint64_t n) {
    std::vector<std::string> out;
    for (; n > 0; --n) out.push_back(word());
    return out;
  }
  std::vector<PhraseHit> find(const PhraseIndex& index, std::string_view text) {
    const auto hits = index.find(text, scratch_);
    return {hits.begin(), hits.end()};
  }
  PhraseIndex::Scratch scratch_;
};

TEST_F(Phrases, WholePhrasesAreThoseOfAPlainSearch) {
  for (int round = 0; round < 60; ++round) {
    std::vector<Phrase> phrases;
    std::set<std::string> distinct;
    while (phrases.size() < 60) {
      const std::string text = base::join(some_words(1 + random_.below(12)), " ");
      if (distinct.insert(text).second) phrases.push_back({text, random_.below(2) == 0, false});
    }
    auto text = some_words(300);
    for (int i = 0; i < 20; ++i) text.insert(text.begin() + static_cast<std::ptrdiff_t>(random_.below(text.size())), phrases[random_.below(phrases.size())].text);
    const std::string joined = base::join(text, round % 2 ? " " : "\n\t");
    std::set<size_t> expected, found;
    const auto words = words_of(joined);
    for (size_t p = 0; p < phrases.size(); ++p) {
      const auto phrase = words_of(phrases[p].text);
      if (std::search(words.begin(), words.end(), phrase.begin(), phrase.end()) != words.end()) expected.insert(p);
    }
    const PhraseIndex index(phrases, 13, 0.86);
    for (const PhraseHit& hit : find(index, joined)) {
      if (!hit.whole) continue;
      found.insert(hit.phrase);
      EXPECT_EQ(words_of(std::string_view(joined).substr(hit.begin, hit.end - hit.begin)), words_of(phrases[hit.phrase].text));
    }
    ASSERT_EQ(found, expected) << "round " << round;
  }
}

// Words changed and left out up to the threshold, words put in up to the band: always found, and where it is.
TEST_F(Phrases, NoNearMatchIsMissed) {
  for (int round = 0; round < 40; ++round) {
    std::vector<Phrase> phrases;
    for (int i = 0; i < 200; ++i) phrases.push_back({base::join(some_words(8 + random_.below(60)), " "), true, false});
    const PhraseIndex index(phrases, 13, 0.86);
    for (int planted = 0; planted < 20; ++planted) {
      const size_t p = random_.below(phrases.size());
      auto words = base::split(phrases[p].text, ' ');
      const auto allowed = static_cast<uint64_t>(static_cast<double>(words.size()) * 0.14 + 1e-9);
      for (uint64_t edits = random_.below(allowed + 1); edits > 0; --edits) {
        const size_t at = random_.below(words.size());
        if (random_.below(2)) words[at] = cat("other", edits);
        else words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
      }
      std::string before = base::join(some_words(50), " "), after = base::join(some_words(50), " ");
      const std::string text = cat(before, " ", base::join(words, " "), " ", after);
      const auto hits = find(index, text);
      const auto own = std::find_if(hits.begin(), hits.end(), [&](const PhraseHit& hit) { return hit.phrase == p; });
      ASSERT_NE(own, hits.end()) << phrases[p].text << "\nin: " << text;
      EXPECT_GE(own->similarity, 0.86);
    }
  }
}

// What is reported as near is near, measured in full.
TEST_F(Phrases, NearMatchesAreNear) {
  size_t near = 0;
  for (int round = 0; round < 30; ++round) {
    std::vector<Phrase> phrases;
    for (int i = 0; i < 300; ++i) phrases.push_back({base::join(some_words(8 + random_.below(20)), " "), true, false});
    const PhraseIndex index(phrases, 13, 0.86);
    std::string text;
    for (int i = 0; i < 40; ++i) {
      auto words = base::split(phrases[random_.below(phrases.size())].text, ' ');
      for (uint64_t edits = random_.below(6); edits > 0; --edits) words[random_.below(words.size())] = word();
      text += cat(base::join(words, " "), ". ");
    }
    for (const PhraseHit& hit : find(index, text)) {
      if (hit.whole) continue;
      ++near;
      const auto phrase = words_of(phrases[hit.phrase].text), window = words_of(std::string_view(text).substr(hit.begin, hit.end - hit.begin));
      const double edit = static_cast<double>(common_words(phrase, window)) / static_cast<double>(phrase.size());
      EXPECT_GE(std::max(edit, jaccard(phrase, window)), std::min(0.86, hit.similarity) - 1e-9);
    }
  }
  EXPECT_GT(near, 100u);
}

TEST_F(Phrases, WordsInAnotherOrder) {
  const PhraseIndex index({{"in which of the northern valleys does the river freeze first when the early winter comes"}}, 13, 0.86);
  const auto hits = find(index, "when the early winter comes in which of the northern valleys does the river freeze first");
  ASSERT_EQ(hits.size(), 1u);
  EXPECT_FALSE(hits[0].whole);
  EXPECT_EQ(hits[0].run_words, 11u);
  EXPECT_GE(hits[0].similarity, 0.86);
}

TEST_F(Phrases, AllHitsOfOnePhrase) {
  const PhraseIndex index({{"the quick brown fox jumps over the lazy dog"}}, 13, 0.86);
  const std::string text = "The quick brown fox jumps over the lazy dog. Then the quick brown fox jumped over the lazy dog. The quick brown fox jumps over the lazy dog!";
  EXPECT_EQ(find(index, text).size(), 1u);
  size_t whole = 0, places = 0;
  size_t last = 0;
  for (const PhraseHit& hit : index.find(text, 0, text.size(), scratch_, true)) {
    whole += hit.whole;
    places += hit.begin >= last;
    last = hit.end;
  }
  EXPECT_EQ(whole, 2u);
  EXPECT_EQ(places, 3u);
}

TEST(Alignment, IsTheLongestCommonSubsequenceWithinTheBand) {
  base::Random random(3, "alignment");
  for (int round = 0; round < 3000; ++round) {
    std::vector<uint64_t> phrase(random.below(30)), text;
    for (uint64_t& word : phrase) word = random.below(40);
    text = phrase;
    size_t shift = 0;
    for (uint64_t edits = random.below(5); edits > 0 && !text.empty(); --edits) {
      const auto at = text.begin() + static_cast<std::ptrdiff_t>(random.below(text.size()));
      switch (random.below(3)) {
        case 0: *at = 100 + edits; break;
        case 1: text.erase(at), ++shift; break;
        default: text.insert(at, 200 + edits), ++shift; break;
      }
    }
    ASSERT_LE(shift, kBand);
    const size_t misses = phrase.size() - common_words(phrase, text);
    // More than the edits' own alignment may be found outside of the band, never inside.
    EXPECT_GE(align(phrase, text, 100).misses, misses);
    EXPECT_LE(align(phrase, text, 100).misses, 5u);
    const std::vector<uint64_t> phrase_back(phrase.rbegin(), phrase.rend()), text_back(text.rbegin(), text.rend());
    EXPECT_EQ(align_backwards(phrase_back, text_back, 100).misses, align(phrase, text, 100).misses);
    if (misses > 0) {
      EXPECT_EQ(align(phrase, text, misses - 1).misses, misses);
    }
  }
}

}  // namespace
}  // namespace picochat::honesty
