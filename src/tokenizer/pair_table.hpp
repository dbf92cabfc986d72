// (left, right) -> rank of the merge, the inner lookup of encoding.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "tokenizer/huge_pages.hpp"
#include "tokenizer/model.hpp"

namespace picochat::tokenizer {

inline constexpr uint32_t kNoMerge = 0xFFFFFFFF;

// Open addressing at no more than half load. A slot is 64 bits, left | right | rank, so that the table
// of a large vocabulary stays in the second-level cache.
class PairTable {
 public:
  static constexpr int kIdBits = 21, kRankBits = 22;
  static_assert(kMaximumVocab <= size_t{1} << kIdBits && kMaximumMerges < (size_t{1} << kRankBits) - 1);

  PairTable(std::span<const Merge> merges, const std::array<TokenId, 256>& byte_ids) : results_(merges.size()) {
    size_t size = std::bit_ceil(std::max<size_t>(16, merges.size() * 2));
    shift_ = 64 - std::countr_zero(size);
    mask_ = size - 1;
    slots_.assign(size, kEmpty);
    size_t bits = std::bit_ceil(std::max<size_t>(64, merges.size() * 8));
    known_shift_ = 64 - std::countr_zero(bits);
    known_.resize(bits / 64);
    sequential_ = !merges.empty();
    for (size_t rank = 0; rank < merges.size(); ++rank) {
      uint64_t pair = key(merges[rank].left, merges[rank].right);
      size_t i = home(pair);
      while (slots_[i] != kEmpty && slots_[i] >> kRankBits != pair) i = (i + 1) & mask_;
      // A pair listed twice (other programs do that) has its later rank, as Hugging Face reads it.
      slots_[i] = pair << kRankBits | rank;
      results_[rank] = merges[rank].result;
      sequential_ = sequential_ && merges[rank].result == merges[0].result + rank;
      const uint64_t bit = (pair * kMix) >> known_shift_;
      known_[bit / 64] |= uint64_t{1} << (bit % 64);
    }
    for (size_t left = 0; left < 256; ++left)
      for (size_t right = 0; right < 256; ++right) byte_ranks_[left << 8 | right] = rank(byte_ids[left], byte_ids[right]);
  }

  // kNoMerge when the pair does not merge.
  uint32_t rank(TokenId left, TokenId right) const {
    const uint64_t pair = key(left, right), mixed = pair * kMix, bit = mixed >> known_shift_;
    if (!(known_[bit / 64] >> (bit % 64) & 1)) return kNoMerge;
    for (size_t i = mixed >> shift_;; i = (i + 1) & mask_) {
      uint64_t slot = slots_[i];
      if (slot >> kRankBits == pair) return static_cast<uint32_t>(slot & ((1u << kRankBits) - 1));
      if (slot == kEmpty) return kNoMerge;
    }
  }
  // In the files of this trainer every merge makes a new token, and looking it up is an addition.
  TokenId result(uint32_t rank) const { return sequential_ ? results_[0] + rank : results_[rank]; }

  // The same for two bytes, by one load: where every piece starts.
  uint32_t byte_rank(uint8_t left, uint8_t right) const { return byte_ranks_[size_t{left} << 8 | right]; }

 private:
  // No rank has all bits set, so no merge looks like a free slot.
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  static uint64_t key(TokenId left, TokenId right) { return uint64_t{left} << kIdBits | right; }
  static constexpr uint64_t kMix = 0x9E3779B97F4A7C15u;
  size_t home(uint64_t pair) const { return (pair * kMix) >> shift_; }

  HugeVector<uint64_t> slots_;
  std::vector<TokenId> results_;
  std::vector<uint32_t> byte_ranks_ = std::vector<uint32_t>(65536);
  std::vector<uint64_t> known_;  // a bit for each pair by its hash: most pairs asked for do not merge
  int shift_, known_shift_;
  size_t mask_;
  bool sequential_;
};

}  // namespace picochat::tokenizer
