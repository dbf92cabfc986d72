// The hashes of documents that were accepted: 64 bits each, in one table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace picochat::corpus::import {

class SeenHashes {
 public:
  bool contains(uint64_t hash) const { return used_ > 0 && slots_[slot(stored(hash), slots_)] != 0; }
  void insert(uint64_t hash) {
    if (used_ * 4 >= slots_.size() * 3) grow();
    uint64_t& place = slots_[slot(stored(hash), slots_)];
    used_ += place == 0;
    place = stored(hash);
  }

 private:
  static uint64_t stored(uint64_t hash) { return hash == 0 ? 1 : hash; }  // 0 marks a free slot
  static size_t slot(uint64_t hash, const std::vector<uint64_t>& slots) {
    size_t i = (hash * 0x9E3779B97F4A7C15u >> 16) & (slots.size() - 1);
    while (slots[i] != 0 && slots[i] != hash) i = (i + 1) & (slots.size() - 1);
    return i;
  }
  void grow() {
    std::vector<uint64_t> larger(slots_.empty() ? size_t{1} << 12 : slots_.size() * 2, 0);
    for (uint64_t hash : slots_)
      if (hash != 0) larger[slot(hash, larger)] = hash;
    slots_ = std::move(larger);
  }
  std::vector<uint64_t> slots_;
  size_t used_ = 0;
};

}  // namespace picochat::corpus::import
