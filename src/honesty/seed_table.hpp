// Where short runs of words (seeds) occur in the phrases: seed -> places. A bit map in front keeps most words
// of a corpus out of the table; it is small enough to stay in a core's second cache.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace picochat::honesty {

struct SeedPlace {
  uint32_t phrase = 0;
  uint32_t offset = 0;    // the seed begins at this word of the phrase
  // Whether the seed that begins one word earlier is in the table too: then a longer run was met before.
  bool follows = false;
};

// Seeds of any number of words share one table: their keys differ.
inline constexpr uint64_t kWordBase = 0xF1357AEA2E62A9C5u;  // hash of words w1..wn: sum of w_i * base^(n-i)
inline uint64_t seed_key(uint64_t hash_of_words, size_t n) {
  const uint64_t h = (hash_of_words + n * 0xA0761D6478BD642Fu) * 0xE7037ED1A0B428DBu;
  return h ^ h >> 29;
}
uint64_t hash_of_words(const uint64_t* words, size_t n);

class SeedTable {
 public:
  struct Entry {
    uint64_t key;
    SeedPlace place;
  };
  // Places of one key keep the order of (phrase, offset).
  void build(std::vector<Entry> entries);

  bool may_have(uint64_t key) const {
    const uint64_t wanted = uint64_t{1} << (key & 63) | uint64_t{1} << (key >> 6 & 63);
    return (filter_[key >> shift_] & wanted) == wanted;
  }
  void prefetch(uint64_t key) const { __builtin_prefetch(&slots_[slot_of(key)]); }
  std::span<const SeedPlace> find(uint64_t key) const {
    for (size_t i = slot_of(key); slots_[i].count > 0; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].key == key) return {places_.data() + slots_[i].begin, slots_[i].count};
    }
    return {};
  }
  size_t num_seeds() const { return num_seeds_; }
  bool empty() const { return num_seeds_ == 0; }

 private:
  struct Slot {
    uint64_t key = 0;
    uint32_t begin = 0, count = 0;
  };
  size_t slot_of(uint64_t key) const { return key >> 12 & (slots_.size() - 1); }

  std::vector<uint64_t> filter_{0, 0};
  int shift_ = 63;
  std::vector<Slot> slots_{Slot{}};
  std::vector<SeedPlace> places_;
  size_t num_seeds_ = 0;
};

}  // namespace picochat::honesty
