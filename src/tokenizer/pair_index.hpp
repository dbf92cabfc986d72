// Tables over pairs of tokens for training: plain counts, and counts with the words to visit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "picochat/tokenizer/tokenizer.hpp"
#include "tokenizer/huge_pages.hpp"

namespace picochat::tokenizer {

inline uint64_t pair_key(TokenId left, TokenId right) { return uint64_t{left} << 32 | right; }
inline uint64_t pair_hash(uint64_t pair) {
  const uint64_t mixed = pair * 0x9E3779B97F4A7C15u;
  return mixed ^ mixed >> 32;
}

// Pair -> value by open addressing. A value-initialised slot is free; no pair of real tokens has key 0
// because ids below kSpecialTokens never occur in text.
template <typename Value>
class PairMap {
 public:
  PairMap() : PairMap(1024) {}
  explicit PairMap(size_t slots) : slots_(slots) {}  // a power of two

  struct Slot {
    uint64_t pair = 0;
    Value value{};
  };

  Value& operator[](uint64_t pair) {
    if (used_ * 2 >= slots_.size()) grow();
    Slot& slot = slots_[place(pair)];
    if (slot.pair == 0) slot.pair = pair, ++used_;
    return slot.value;
  }
  const Value* find(uint64_t pair) const {
    const Slot& slot = slots_[place(pair)];
    return slot.pair ? &slot.value : nullptr;
  }
  void prefetch(uint64_t pair) const { __builtin_prefetch(&slots_[home(pair)]); }
  Value* find(uint64_t pair) { return const_cast<Value*>(std::as_const(*this).find(pair)); }
  const HugeVector<Slot>& slots() const { return slots_; }  // free ones included
  size_t size() const { return used_; }

 private:
  size_t home(uint64_t pair) const { return pair_hash(pair) & (slots_.size() - 1); }
  size_t place(uint64_t pair) const {
    size_t mask = slots_.size() - 1, i = home(pair);
    while (slots_[i].pair != pair && slots_[i].pair != 0) i = (i + 1) & mask;
    return i;
  }
  void grow() {
    HugeVector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (Slot& slot : old)
      if (slot.pair) slots_[place(slot.pair)] = std::move(slot);
  }
  HugeVector<Slot> slots_;
  size_t used_ = 0;
};

// Upper bounds of how often pairs occur: the pairs of one hash share a sum. Most distinct pairs are rare,
// and a table of them all would take more memory than anything else in training.
class PairBounds {
 public:
  explicit PairBounds(size_t sums) : sums_(sums) {}  // a power of two

  void add(uint64_t pair, int64_t count) { sums_[home(pair)] += count; }
  void add(const PairBounds& other) {
    for (size_t i = 0; i < sums_.size(); ++i) sums_[i] += other.sums_[i];
  }
  void prefetch(uint64_t pair) const { __builtin_prefetch(&sums_[home(pair)]); }
  int64_t of(uint64_t pair) const { return sums_[home(pair)]; }
  int64_t most() const { return *std::max_element(sums_.begin(), sums_.end()); }

 private:
  size_t home(uint64_t pair) const { return pair_hash(pair) & (sums_.size() - 1); }
  HugeVector<int64_t> sums_;
};

struct PairCount {
  int64_t count = 0;    // occurrences in the text
  uint32_t places = 0;  // in distinct words: no fewer than the words that have the pair
};
using PairCounts = PairMap<PairCount>;

// The pairs that may merge next: how often each occurs, and the words that had it when it was made.
class PairIndex {
 public:
  struct Pair {
    int64_t count = 0;
    std::vector<uint32_t> words;
  };
  static constexpr uint32_t kNone = 0xFFFFFFFF;

  uint32_t add(uint64_t key, int64_t count) {
    uint32_t index = static_cast<uint32_t>(pairs_.size());
    pairs_.push_back({count, {}});
    places_[key] = index;
    return index;
  }
  Pair& operator[](uint32_t index) { return pairs_[index]; }
  uint32_t place(uint64_t key) const {
    const uint32_t* index = places_.find(key);
    return index ? *index : kNone;
  }
  void prefetch(uint64_t key) const { places_.prefetch(key); }
  Pair* find(uint64_t key) {
    uint32_t index = place(key);
    return index == kNone ? nullptr : &pairs_[index];
  }

 private:
  std::vector<Pair> pairs_;
  PairMap<uint32_t> places_;
};

}  // namespace picochat::tokenizer
