// Counter-based random numbers: a value is a pure function of (seed, stream, index), so a run can
// be resumed, split over ranks or reordered without carrying generator state.
// Philox4x32-10: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace picochat::base {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// A sequence of draws from one stream. `stream` keeps users apart: name it, do not number it.
class Random {
 public:
  Random(uint64_t seed, std::string_view stream, uint64_t start = 0);
  uint32_t next_u32();
  uint64_t next_u64();
  uint64_t below(uint64_t bound);  // uniform in [0, bound), unbiased; bound > 0
  int64_t between(int64_t low, int64_t high);  // inclusive
  double uniform();                // [0, 1), 53 bits
  double normal();                 // mean 0, variance 1 (Box-Muller)
  template <typename T>
  void shuffle(std::span<T> values) {
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  std::array<uint32_t, 2> key_;
  uint64_t stream_;
  uint64_t index_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

// A pseudo-random permutation of [0, size) in constant memory (Feistel network with cycle walking).
class Permutation {
 public:
  Permutation(uint64_t size, uint64_t key);
  uint64_t operator()(uint64_t index) const;
  uint64_t size() const { return size_; }

 private:
  uint64_t size_, key_;
  int half_bits_;
};

}  // namespace picochat::base
