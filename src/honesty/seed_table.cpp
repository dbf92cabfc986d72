#include "honesty/seed_table.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

namespace picochat::honesty {
namespace {

constexpr size_t kBitsPerSeed = 16;                                  // two set: one word in sixty passes by chance
constexpr size_t kMinFilterBits = size_t{1} << 13, kMaxFilterBits = size_t{1} << 23;

}  // namespace

uint64_t hash_of_words(const uint64_t* words, size_t n) {
  uint64_t hash = 0;
  for (size_t i = 0; i < n; ++i) hash = hash * kWordBase + words[i];
  return hash;
}

void SeedTable::build(std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.key, a.place.phrase, a.place.offset) < std::tie(b.key, b.place.phrase, b.place.offset);
  });
  num_seeds_ = 0;
  for (size_t i = 0; i < entries.size(); ++i) num_seeds_ += i == 0 || entries[i].key != entries[i - 1].key;

  const size_t bits = std::clamp(std::bit_ceil(num_seeds_ * kBitsPerSeed), kMinFilterBits, kMaxFilterBits);
  filter_.assign(bits / 64, 0);
  shift_ = 64 - std::countr_zero(bits / 64);
  slots_.assign(std::bit_ceil(2 * num_seeds_ + 2), Slot{});
  places_.clear();
  places_.reserve(entries.size());
  for (size_t i = 0; i < entries.size();) {
    const uint64_t key = entries[i].key;
    Slot slot{key, static_cast<uint32_t>(places_.size()), 0};
    for (; i < entries.size() && entries[i].key == key; ++i) {
      const SeedPlace& place = entries[i].place;
      if (slot.count > 0 && places_.back().phrase == place.phrase && places_.back().offset == place.offset) continue;
      places_.push_back(place);
      ++slot.count;
    }
    filter_[key >> shift_] |= uint64_t{1} << (key & 63) | uint64_t{1} << (key >> 6 & 63);
    size_t at = slot_of(key);
    while (slots_[at].count > 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
}

}  // namespace picochat::honesty
