// The distinct pieces of a text and how often each occurs.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/tokenizer/train.hpp"
#include "tokenizer/model.hpp"
#include "tokenizer/piece_cache.hpp"

namespace picochat::tokenizer {

// Longer pieces are counted in parts of this size, since each merge walks through the words that it
// touches. By the pattern only junk is that long; without a split every document is.
inline constexpr size_t kLongestCountedPiece = 1024, kLongestUnsplitPiece = 128;

// Counts of pieces; open addressing. Short pieces live in their slot, long ones in a text arena.
class PieceTable {
 public:
  void add_short(const PieceKey& key, uint64_t hash, uint64_t count);
  void add_long(std::string_view piece, uint64_t hash, uint64_t count);
  void prefetch(uint64_t hash) const { __builtin_prefetch(&short_[hash & (short_.size() - 1)]); }
  size_t size() const { return short_used_ + long_used_; }
  uint64_t bytes() const { return short_.size() * sizeof(Short) + long_.size() * sizeof(Long) + text_.size(); }
  void merge_from(const PieceTable& other);
  void drop_up_to(uint64_t count);  // forgets pieces with at most `count` occurrences
  void clear();                     // keeps the memory

  template <typename Visit>  // visit(std::string_view piece, uint64_t count)
  void for_each(Visit&& visit) const {
    for (const Short& slot : short_) {
      if (slot.count == 0) continue;
      char bytes[16];
      std::memcpy(bytes, &slot.key, 16);
      visit(std::string_view(bytes, static_cast<uint8_t>(bytes[15])), slot.count);
    }
    for (const Long& slot : long_)
      if (slot.count) visit(std::string_view(text_).substr(slot.offset, slot.length), slot.count);
  }

 private:
  struct Short {
    PieceKey key;
    uint64_t count = 0;
  };
  struct Long {
    uint64_t hash = 0, offset = 0, count = 0;
    uint32_t length = 0;
  };
  void grow_short();
  void grow_long();
  HugeVector<Short> short_ = HugeVector<Short>(1024);
  HugeVector<Long> long_ = HugeVector<Long>(64);
  size_t short_used_ = 0, long_used_ = 0;
  std::string text_;
};

// The table in parts by hash, so that the parts of several threads are combined in parallel.
class PieceCounts {
 public:
  static constexpr int kPartBits = 4;
  void add_text(std::string_view text, Split split);
  std::array<PieceTable, 1 << kPartBits>& parts() { return parts_; }
  const std::array<PieceTable, 1 << kPartBits>& parts() const { return parts_; }
  size_t size() const;
  uint64_t bytes() const;  // of memory that the table takes
  uint64_t pieces = 0;  // occurrences added

 private:
  // Pieces wait here until their slots are on the way from memory.
  struct Waiting {
    PieceKey key;
    uint64_t hash;
  };
  static constexpr size_t kWaiting = 32;
  void add_waiting(size_t count);
  void add_long(std::string_view piece, size_t longest);
  std::array<PieceTable, 1 << kPartBits> parts_;
  std::array<Waiting, kWaiting> waiting_;
};

// Reads the stream to its end. Text goes by in rounds of kRoundBytes; after each, when more than
// max_distinct_pieces are held, those of smallest count are dropped until at most half the bound is
// left. A round's content depends on the stream alone, so threads never change the result.
inline constexpr uint64_t kRoundBytes = 32 << 20;
PieceCounts count_pieces(const DocumentStream& documents, Split split, int threads, int64_t max_distinct_pieces,
                         TrainStatistics& statistics, base::Digest& text_digest);

// Code points beyond ASCII with their counts, most frequent first, then by value.
struct CharacterCount {
  char32_t character;
  uint64_t count;
};
std::vector<CharacterCount> count_characters(const DocumentStream& documents, int threads, TrainStatistics& statistics,
                                             base::Digest& text_digest);

}  // namespace picochat::tokenizer
