// All phrases to look for (prompts, support phrases) in one index, and the search of a text for them:
// whole, in long runs of shared words, or nearly. One pass over the text, whatever the number of phrases.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "honesty/words.hpp"

namespace picochat::honesty {

struct Phrase {
  std::string text;
  bool near = true;        // also report near matches and shorter runs, not just the whole phrase
  bool sentence = false;   // too short to mean anything inside a sentence: only as a sentence of its own
};

// The best match of one phrase in one text.
struct PhraseHit {
  size_t phrase = 0;
  bool whole = false;
  size_t run_words = 0;      // longest run of shared words
  double coverage = 0;       // run_words / words of the phrase
  double similarity = 0;     // share of the phrase's words found in order, numbers all present
  size_t begin = 0, end = 0; // bytes of the text
};

class PhraseIndex {
 public:
  // ngram: shortest run of words that is reported for phrases that long (13 by default).
  // near_threshold: least similarity of a near match.
  PhraseIndex(std::vector<Phrase> phrases, size_t ngram, double near_threshold);

  const std::vector<Phrase>& phrases() const { return phrases_; }
  size_t words_in(size_t phrase) const { return words_[phrase].size(); }

  // Working memory of one thread.
  struct Scratch {
    WordHashes words;
    std::unordered_map<uint64_t, size_t> checked;  // (phrase, diagonal) -> word up to which it was compared
  };
  // At most one hit a phrase, in order of phrases. Thread-safe with a scratch for each thread.
  std::vector<PhraseHit> find(std::string_view text, Scratch& scratch) const;

 private:
  struct Place {
    uint32_t phrase, offset;  // the n-gram begins at this word of the phrase
  };
  // Hash of n words -> places, for one n. A bit map in front keeps most words of a corpus out of the table.
  struct Table {
    size_t n = 0;
    uint64_t top_power = 0;  // base^(n-1), to drop the first word from a rolling hash
    std::vector<uint64_t> filter;
    std::unordered_map<uint64_t, std::vector<Place>> places;
    bool may_have(uint64_t hash) const {
      uint64_t bit = hash * 0x9E3779B97F4A7C15u >> 42;
      return filter[bit / 64] >> (bit % 64) & 1;
    }
  };
  Table make_table(size_t n) const;
  void add_place(Table& table, uint64_t hash, Place place);
  void search(const Table& table, std::string_view text, Scratch& scratch, std::unordered_map<size_t, PhraseHit>& hits) const;
  void compare(const Place& place, size_t at, std::string_view text, Scratch& scratch, std::unordered_map<size_t, PhraseHit>& hits) const;
  void find_telling_words(const std::vector<std::vector<uint32_t>>& numbers);
  double aligned_similarity(size_t phrase, size_t start, const WordHashes& text) const;

  std::vector<Phrase> phrases_;
  std::vector<std::vector<uint64_t>> words_;
  // Words that make a phrase the question it is: its numbers and signs, or what stands in the open
  // place of a template. A near match must have them all.
  std::vector<std::vector<uint32_t>> telling_;
  size_t ngram_;
  double near_threshold_;
  std::vector<Table> tables_;  // long runs, seeds of three and four words, and whole phrases of one to three
};

}  // namespace picochat::honesty
