// A text as hashes of its words (tasks/word_scan.hpp says what a word is), with where each begins.
// assign() is the plain way, one byte after the other; scan() is the quick one for a corpus, and
// gives the same (tests/honesty/words_test.cpp compares the two).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "picochat/tasks/word_scan.hpp"

namespace picochat::honesty {

// Hash of a word's folded bytes, eight at a time, the last piece padded with zeros.
class WordHash {
 public:
  void add(uint64_t piece) {
    state_ = (state_ ^ piece) * 0x9E3779B97F4A7C15u;
    state_ ^= state_ >> 32;
  }
  uint64_t finish(size_t length) const {
    const uint64_t h = (state_ ^ length) * 0xD6E8FEB86659FD93u;
    return h ^ h >> 32;
  }

 private:
  uint64_t state_ = 0x243F6A8885A308D3u;
};

// Reused from text to text, so that its memory is that of the longest.
class WordHashes {
 public:
  void assign(std::string_view text);
  // The words that begin in [begin, end) of `text`, bounds between which no word is cut in two (or, where
  // the text leaves no choice, anywhere: then the words at the bounds are pieces). Does not tell numbers.
  void scan(std::string_view text, size_t begin, size_t end);

  size_t size() const { return hashes_.size(); }
  const std::vector<uint64_t>& hashes() const { return hashes_; }
  // Positions of the words that are numbers or arithmetic signs, ascending. After assign() only.
  const std::vector<uint32_t>& numbers() const { return numbers_; }
  size_t begin_of(size_t word) const { return begins_[word]; }
  // Where the word after `word` begins, or the end of the text.
  size_t end_of(size_t word) const { return word + 1 < begins_.size() ? begins_[word + 1] : end_; }

 private:
  struct Sink;
  void clear(size_t end);
  void hash_simple_word(std::string_view text, size_t begin, size_t end);

  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> begins_, numbers_, edges_, complex_;
  size_t end_ = 0;
};

}  // namespace picochat::honesty
