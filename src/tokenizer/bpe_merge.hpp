// Merging one piece: of all adjacent pairs the one of lowest rank merges first, the leftmost among
// equals, until no pair has a rank.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/pair_table.hpp"

namespace picochat::tokenizer {

// Working memory of one thread; grows to the longest piece seen.
class MergeScratch {
 public:
  // Replaces `ids` (of the bytes of the piece) by the piece's tokens.
  void merge(const PairTable& pairs, std::string_view piece, std::vector<TokenId>& ids);

 private:
  void merge_short(const PairTable& pairs, std::string_view piece, std::vector<TokenId>& ids);
  void merge_long(const PairTable& pairs, std::string_view piece, std::vector<TokenId>& ids);

  std::vector<uint32_t> rank_, previous_, next_;
  std::vector<uint64_t> queue_;
};

}  // namespace picochat::tokenizer
