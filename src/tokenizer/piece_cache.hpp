// Remembers the tokens of pieces. Real text repeats its words, so most pieces cost one lookup.
// Both tables are direct-mapped and of fixed size: a piece replaces whichever one sat in its slot.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "picochat/tokenizer/tokenizer.hpp"
#include "tokenizer/huge_pages.hpp"

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

// Pieces of at most 15 bytes and 4 tokens: nearly all there are. A bucket is one cache line of two slots;
// a new piece takes the first and what was there moves to the second.
class PieceCache {
 public:
  static constexpr size_t kMostIds = 4;
  static constexpr int kBits = 18;  // 2^18 buckets of 64 bytes: 16 MiB

  struct Slot {
    PieceKey key;  // length 0 in an empty slot, so nothing matches it
    TokenId ids[kMostIds];  // the number of ids stands in the top bits of the first

    static constexpr int kCountShift = 29;
    uint32_t count() const { return ids[0] >> kCountShift; }
  };
  struct alignas(64) Bucket {
    Slot slots[2];
    // Nullptr when the piece is not here.
    const Slot* find(const PieceKey& key) const {
      if (slots[0].key == key) [[likely]] return &slots[0];
      return slots[1].key == key ? &slots[1] : nullptr;
    }
  };

  Bucket& bucket(const PieceKey& key) { return buckets_[key.hash() >> (64 - kBits)]; }

  static void store(Bucket& bucket, const PieceKey& key, std::span<const TokenId> ids) {
    if (ids.size() > kMostIds) return;
    bucket.slots[1] = bucket.slots[0];
    Slot& slot = bucket.slots[0];
    slot.key = key;
    std::copy(ids.begin(), ids.end(), slot.ids);
    slot.ids[0] |= static_cast<uint32_t>(ids.size()) << Slot::kCountShift;
  }

 private:
  HugeVector<Bucket> buckets_ = HugeVector<Bucket>(size_t{1} << kBits);
};

// Pieces of 16 to 64 bytes: runs of spaces, rules of dashes, long words, and phrases of languages that
// write three bytes a letter. About half of those met are met again soon.
class LongPieceCache {
 public:
  static constexpr size_t kLongest = 64, kMostIds = 20;
  static constexpr int kBits = 12;  // 2^12 slots of 160 bytes: 640 KiB

  struct Slot {
    uint64_t hash = 0;
    uint8_t length = 0, count = 0;
    TokenId ids[kMostIds];
    char bytes[kLongest];
    bool holds(std::string_view piece, uint64_t piece_hash) const {
      return hash == piece_hash && length == piece.size() && std::memcmp(bytes, piece.data(), piece.size()) == 0;
    }
  };

  Slot& slot(uint64_t hash) { return slots_[hash >> (64 - kBits)]; }

  static void store(Slot& slot, std::string_view piece, uint64_t hash, std::span<const TokenId> ids) {
    if (ids.size() > kMostIds) return;
    slot.hash = hash;
    slot.length = static_cast<uint8_t>(piece.size());
    slot.count = static_cast<uint8_t>(ids.size());
    std::copy(ids.begin(), ids.end(), slot.ids);
    std::memcpy(slot.bytes, piece.data(), piece.size());
  }

 private:
  HugeVector<Slot> slots_ = HugeVector<Slot>(size_t{1} << kBits);
};

}  // namespace picochat::tokenizer
