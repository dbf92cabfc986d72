#include "picochat/base/random.hpp"

#include <cmath>
#include <numbers>

#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"

namespace picochat::base {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = kMultiplier0 * counter[0], p1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

Random::Random(uint64_t seed, std::string_view stream, uint64_t start)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}, stream_(hash64(stream)), index_(start) {}

uint32_t Random::next_u32() {
  if (used_ == 4) {
    block_ = philox({static_cast<uint32_t>(index_), static_cast<uint32_t>(index_ >> 32), static_cast<uint32_t>(stream_),
                     static_cast<uint32_t>(stream_ >> 32)}, key_);
    ++index_;
    used_ = 0;
  }
  return block_[static_cast<size_t>(used_++)];
}

uint64_t Random::next_u64() {
  uint64_t low = next_u32();
  return low | static_cast<uint64_t>(next_u32()) << 32;
}

uint64_t Random::below(uint64_t bound) {
  require(bound > 0, "Random::below needs a positive bound");
  uint64_t threshold = -bound % bound;  // rejects the draws that would make small values likelier
  for (;;) {
    uint64_t draw = next_u64();
    if (draw >= threshold) return draw % bound;
  }
}

int64_t Random::between(int64_t low, int64_t high) {
  return low + static_cast<int64_t>(below(static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1));
}

double Random::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

double Random::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double radius = std::sqrt(-2 * std::log(1 - uniform())), angle = 2 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

Permutation::Permutation(uint64_t size, uint64_t key) : size_(size), key_(key) {
  int bits = 2;
  while (bits < 64 && (uint64_t{1} << bits) < size) bits += 2;
  half_bits_ = bits / 2;
}

uint64_t Permutation::operator()(uint64_t index) const {
  require(index < size_, "Permutation index in range");
  const uint64_t mask = (uint64_t{1} << half_bits_) - 1;
  do {  // walk the cycle of the larger power of four until it comes back inside
    uint64_t left = index >> half_bits_, right = index & mask;
    for (uint32_t round = 0; round < 4; ++round) {
      auto mixed = philox({static_cast<uint32_t>(right), static_cast<uint32_t>(right >> 32), round, 0x5EED},
                          {static_cast<uint32_t>(key_), static_cast<uint32_t>(key_ >> 32)});
      uint64_t next = left ^ ((mixed[0] | static_cast<uint64_t>(mixed[1]) << 32) & mask);
      left = right;
      right = next;
    }
    index = left << half_bits_ | right;
  } while (index >= size_);
  return index;
}

}  // namespace picochat::base
