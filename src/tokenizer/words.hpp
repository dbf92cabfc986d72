// The distinct pieces while their symbols merge, in one array. A word is known by its place in it:
//
//   [count, low half] [count, high half] [symbols] [symbols at first] symbol...
//
// Symbols shrink in place, so the next word stays where it was.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tokenizer/count.hpp"
#include "tokenizer/pair_index.hpp"

namespace picochat::tokenizer {

class Words {
 public:
  static constexpr uint32_t kNone = 0xFFFFFFFF;

  // Pieces of one byte have no pairs and are left out. The tables of counts are given back one by one.
  Words(PieceCounts counts, const Model& model);

  // Groups of words of about equal size, the unit of parallel work; group_begin(groups()) is the end.
  size_t groups() const { return groups_.size(); }
  size_t group_begin(size_t group) const { return group < groups_.size() ? groups_[group] : data_.size(); }
  size_t next(size_t word) const { return word + kHeader + data_[word + 3]; }
  uint64_t count(size_t word) const { return data_[word] | uint64_t{data_[word + 1]} << 32; }
  std::span<uint32_t> symbols(size_t word) { return {data_.data() + word + kHeader, data_[word + 2]}; }
  std::span<const uint32_t> symbols(size_t word) const { return {data_.data() + word + kHeader, data_[word + 2]}; }
  void shrink(size_t word, size_t symbols) { data_[word + 2] = static_cast<uint32_t>(symbols); }
  void prefetch(size_t word) const {  // a typical word lies in two lines
    __builtin_prefetch(data_.data() + word);
    __builtin_prefetch(data_.data() + word + 16);
  }

  // Calls visit(word, pair) for every adjacent pair of a group, and hint(pair) one word earlier, so that
  // what `visit` reads is on its way.
  template <typename Hint, typename Visit>
  void for_each_pair(size_t group, Hint&& hint, Visit&& visit) const {
    const size_t end = group_begin(group + 1);
    for (size_t word = group_begin(group); word < end; word = next(word)) {
      if (size_t after = next(word); after < end) {
        auto ids = symbols(after);
        for (size_t i = 0; i + 1 < ids.size(); ++i) hint(pair_key(ids[i], ids[i + 1]));
      }
      auto ids = symbols(word);
      for (size_t i = 0; i + 1 < ids.size(); ++i) visit(word, pair_key(ids[i], ids[i + 1]));
    }
  }

  // How often each adjacent pair occurs at most, in little memory.
  PairBounds bound_pairs(int threads) const;
  // Occurrences of each adjacent pair whose bound is at least `least`: of each that occurs so often, and
  // of some that do not.
  PairCounts count_pairs(const PairBounds& bounds, int64_t least, int threads) const;

 private:
  static constexpr size_t kHeader = 4;
  void add(std::string_view piece, uint64_t count, const std::array<TokenId, 256>& byte_ids);

  HugeVector<uint32_t> data_;
  std::vector<size_t> groups_;
};

}  // namespace picochat::tokenizer
