// A text as hashes of its words, with where each word lies.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "picochat/tasks/word_scan.hpp"

namespace picochat::honesty {

// Reused from text to text, so that its memory is that of the longest.
class WordHashes {
 public:
  void assign(std::string_view text) {
    hashes_.clear();
    begins_.clear();
    numbers_.clear();
    tasks::scan_words(text, Sink{*this});
    length_ = text.size();
  }

  size_t size() const { return hashes_.size(); }
  const std::vector<uint64_t>& hashes() const { return hashes_; }
  // Positions of the words that are numbers or arithmetic signs, ascending.
  const std::vector<uint32_t>& numbers() const { return numbers_; }
  size_t begin_of(size_t word) const { return begins_[word]; }
  // Where the word after `word` begins, or the end of the text.
  size_t end_of(size_t word) const { return word + 1 < begins_.size() ? begins_[word + 1] : length_; }

 private:
  struct Sink {
    WordHashes& out;
    uint64_t hash = 0;
    void begin(size_t at) {
      out.begins_.push_back(static_cast<uint32_t>(at));
      hash = 0xCBF29CE484222325u;
    }
    void put(char c) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u; }
    void end(size_t, bool number) {
      if (number) out.numbers_.push_back(static_cast<uint32_t>(out.hashes_.size()));
      // FNV leaves the high bits of short words alike; a multiply and a fold spread them.
      uint64_t h = hash * 0x9E3779B97F4A7C15u;
      out.hashes_.push_back(h ^ h >> 32);
    }
  };

  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> begins_, numbers_;
  size_t length_ = 0;
};

}  // namespace picochat::honesty
