// (left, right) -> rank and result of the merge, the inner lookup of encoding.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "tokenizer/model.hpp"

namespace picochat::tokenizer {

inline constexpr uint32_t kNoMerge = 0xFFFFFFFF;

// Open addressing at no more than half load; a slot is 16 bytes, so a lookup is one cache line.
class PairTable {
 public:
  struct Slot {
    uint64_t pair = kEmpty;
    uint32_t rank = kNoMerge;
    TokenId result = 0;
  };

  explicit PairTable(std::span<const Merge> merges) {
    size_t size = std::bit_ceil(std::max<size_t>(16, merges.size() * 2));
    shift_ = 64 - std::countr_zero(size);
    mask_ = size - 1;
    slots_.resize(size);
    for (size_t rank = 0; rank < merges.size(); ++rank) {
      uint64_t pair = key(merges[rank].left, merges[rank].right);
      size_t i = home(pair);
      while (slots_[i].pair != kEmpty && slots_[i].pair != pair) i = (i + 1) & mask_;
      // A pair listed twice (other programs do that) has its later rank, as Hugging Face reads it.
      slots_[i] = {pair, static_cast<uint32_t>(rank), merges[rank].result};
    }
  }

  // A slot whose rank is kNoMerge when the pair does not merge.
  const Slot& find(TokenId left, TokenId right) const {
    uint64_t pair = key(left, right);
    for (size_t i = home(pair);; i = (i + 1) & mask_)
      if (slots_[i].pair == pair || slots_[i].pair == kEmpty) return slots_[i];
  }

 private:
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  static uint64_t key(TokenId left, TokenId right) { return uint64_t{left} << 32 | right; }
  size_t home(uint64_t pair) const { return (pair * 0x9E3779B97F4A7C15u) >> shift_; }

  std::vector<Slot> slots_;
  int shift_;
  size_t mask_;
};

}  // namespace picochat::tokenizer
