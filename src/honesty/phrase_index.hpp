// All phrases to look for (prompts, support phrases) in one index, and the search of a text for them:
// whole, in long runs of shared words, or nearly. One pass over the text, whatever the number of phrases.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "honesty/seed_table.hpp"
#include "honesty/words.hpp"

namespace picochat::honesty {

struct Phrase {
  std::string text;
  bool near = true;        // also report near matches and shorter runs, not just the whole phrase
  bool sentence = false;   // too short to mean anything inside a sentence: only as a sentence of its own
};

// A match of one phrase in one text.
struct PhraseHit {
  size_t phrase = 0;
  bool whole = false;
  size_t run_words = 0;      // longest run of shared words
  double run_length = 0;     // the same as by length_in_words()
  double coverage = 0;       // run_words / words of the phrase
  double similarity = 0;     // share of the phrase's words found in order, or Jaccard index; numbers all present
  size_t begin = 0, end = 0; // bytes of the text
};

// Length in words of a spaced script: a character of an unspaced one counts as half a word, of Thai and its
// neighbours as a quarter.
double length_in_words(std::string_view text);

class PhraseIndex {
 public:
  // ngram: shortest run of words that is reported for phrases that long (13 by default).
  // near_threshold: least similarity of a near match.
  PhraseIndex(std::vector<Phrase> phrases, size_t ngram, double near_threshold);

  const std::vector<Phrase>& phrases() const { return phrases_; }
  size_t words_in(size_t phrase) const { return starts_[phrase + 1] - starts_[phrase]; }

  // Working memory of one thread.
  struct Scratch {
    WordHashes words;
    std::vector<PhraseHit> hits;
    std::vector<uint32_t> best;  // by phrase: place in hits, plus 1
  };
  // The best hit of each phrase in the words that begin in [begin, end) of the text, in order of
  // phrases; or with `all` every hit, in order of place. Thread-safe with a scratch for each thread.
  std::span<const PhraseHit> find(std::string_view text, size_t begin, size_t end, Scratch& scratch, bool all = false) const;
  std::span<const PhraseHit> find(std::string_view text, Scratch& scratch) const { return find(text, 0, text.size(), scratch); }

  // Which of two hits of one phrase says more.
  static bool better(const PhraseHit& a, const PhraseHit& b);

 private:
  std::span<const uint64_t> words_of(size_t phrase) const { return std::span(words_).subspan(starts_[phrase], words_in(phrase)); }
  double length_between(size_t phrase, size_t begin, size_t end) const;
  void read_phrases();
  void find_telling_words();
  void build_tables();
  void look_up(uint64_t key, size_t n, size_t at, std::string_view text, Scratch& scratch, bool all) const;
  void compare(const SeedPlace& place, size_t n, size_t at, std::string_view text, Scratch& scratch, bool all) const;
  bool compare_nearly(PhraseHit& hit, size_t left, size_t right, size_t start, size_t end, std::string_view text, const WordHashes& words) const;
  bool holds_telling_words(size_t phrase, std::span<const uint64_t> window) const;
  void add(const PhraseHit& hit, Scratch& scratch, bool all) const;

  std::vector<Phrase> phrases_;
  std::vector<uint64_t> words_;    // of all phrases, one after the other
  std::vector<uint8_t> quarters_;  // length of each word, in quarters
  std::vector<uint8_t> common_;    // by word: 1 when the seed that begins there is wording that several prompts share
  std::vector<size_t> starts_{0};
  // Words that make a phrase the question it is: its numbers and signs, or what stands in the open
  // place of a template. A near match must have them all.
  std::vector<std::vector<uint32_t>> telling_;
  size_t ngram_;
  double near_threshold_;
  SeedTable seeds_;                  // of one to five words
  std::array<bool, 6> has_seeds_{};  // by number of words
  SeedTable runs_;                   // of ngram_ words, where no seed leads
};

}  // namespace picochat::honesty
