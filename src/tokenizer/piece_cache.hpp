// Remembers the tokens of short pieces. Real text repeats its words, so most pieces cost one lookup.
// Direct-mapped and of fixed size: a piece replaces whichever one sat in its slot.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::tokenizer {

// The bytes of a piece of at most 15 bytes, zero-padded, with the length in the last byte.
struct PieceKey {
  static constexpr size_t kLongest = 15;
  uint64_t low = 0, high = 0;

  friend bool operator==(const PieceKey&, const PieceKey&) = default;
  // The product of both halves mixed down (as wyhash does): cheap, and good enough for a table.
  uint64_t hash() const {
    auto product = static_cast<unsigned __int128>(low ^ 0x9E3779B97F4A7C15u) * (high ^ 0xD1B54A32D192ED03u);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
};

// `end` is where readable memory ends; 0 < length <= PieceKey::kLongest.
inline PieceKey piece_key(const uint8_t* p, size_t length, const uint8_t* end) {
  PieceKey key;
  if (end - p >= 16) [[likely]] {
    std::memcpy(&key.low, p, 8);
    std::memcpy(&key.high, p + 8, 8);
    // Shifts by 64 are undefined, so both ways around are in two steps.
    if (length < 8) {
      key.low &= (uint64_t{1} << (8 * length)) - 1;
      key.high = 0;
    } else {
      key.high &= (uint64_t{1} << (8 * (length - 8))) - 1;
    }
  } else {
    uint8_t bytes[16] = {};
    std::memcpy(bytes, p, length);
    std::memcpy(&key.low, bytes, 8);
    std::memcpy(&key.high, bytes + 8, 8);
  }
  key.high |= static_cast<uint64_t>(length) << 56;
  return key;
}

class PieceCache {
 public:
  static constexpr size_t kMostIds = 4;
  static constexpr int kBits = 17;  // 2^17 slots of 32 bytes: 4 MiB

  struct Slot {
    PieceKey key;  // length 0 in an empty slot, so nothing matches it
    TokenId ids[kMostIds];  // the number of ids stands in the top bits of the first

    static constexpr int kCountShift = 29;
    uint32_t count() const { return ids[0] >> kCountShift; }
  };

  Slot& slot(const PieceKey& key) { return slots_[key.hash() >> (64 - kBits)]; }

  static void store(Slot& slot, const PieceKey& key, std::span<const TokenId> ids) {
    if (ids.size() > kMostIds) return;
    slot.key = key;
    std::copy(ids.begin(), ids.end(), slot.ids);
    slot.ids[0] |= static_cast<uint32_t>(ids.size()) << Slot::kCountShift;
  }

 private:
  std::vector<Slot> slots_ = std::vector<Slot>(size_t{1} << kBits);
};

}  // namespace picochat::tokenizer
