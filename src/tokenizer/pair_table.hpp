// (left, right) -> rank of the merge, the inner lookup of encoding.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "tokenizer/model.hpp"

namespace picochat::tokenizer {

inline constexpr uint32_t kNoMerge = 0xFFFFFFFF;

// Open addressing at no more than half load. A slot is 64 bits, left | right | rank, so that the table
// of a large vocabulary stays in the second-level cache.
class PairTable {
 public:
  static constexpr int kIdBits = 21, kRankBits = 22;
  static_assert(kMaximumVocab <= size_t{1} << kIdBits && kMaximumMerges < (size_t{1} << kRankBits) - 1);

  explicit PairTable(std::span<const Merge> merges) : results_(merges.size()) {
    size_t size = std::bit_ceil(std::max<size_t>(16, merges.size() * 2));
    shift_ = 64 - std::countr_zero(size);
    mask_ = size - 1;
    slots_.assign(size, kEmpty);
    for (size_t rank = 0; rank < merges.size(); ++rank) {
      uint64_t pair = key(merges[rank].left, merges[rank].right);
      size_t i = home(pair);
      while (slots_[i] != kEmpty && slots_[i] >> kRankBits != pair) i = (i + 1) & mask_;
      // A pair listed twice (other programs do that) has its later rank, as Hugging Face reads it.
      slots_[i] = pair << kRankBits | rank;
      results_[rank] = merges[rank].result;
    }
  }

  // kNoMerge when the pair does not merge.
  uint32_t rank(TokenId left, TokenId right) const {
    uint64_t pair = key(left, right);
    for (size_t i = home(pair);; i = (i + 1) & mask_) {
      uint64_t slot = slots_[i];
      if (slot >> kRankBits == pair) return static_cast<uint32_t>(slot & ((1u << kRankBits) - 1));
      if (slot == kEmpty) return kNoMerge;
    }
  }
  TokenId result(uint32_t rank) const { return results_[rank]; }

 private:
  // No rank has all bits set, so no merge looks like a free slot.
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  static uint64_t key(TokenId left, TokenId right) { return uint64_t{left} << kIdBits | right; }
  size_t home(uint64_t pair) const { return (pair * 0x9E3779B97F4A7C15u) >> shift_; }

  std::vector<uint64_t> slots_;
  std::vector<TokenId> results_;
  int shift_;
  size_t mask_;
};

}  // namespace picochat::tokenizer
