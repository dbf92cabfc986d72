// Places inside a piece that no token ever spans. Merges cannot cross them, so a long piece falls into
// parts that are encoded, and remembered, on their own: in writing without spaces nearly every phrase is
// new, but the words in it are not.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "picochat/base/unicode.hpp"

namespace picochat::tokenizer {

// A border between two characters may be spanned when some token holds both, or when a token that
// begins or ends inside a character joins the bytes at the border. What only looks so (a false hit of
// the bit tables) costs time, never exactness.
class Cuts {
 public:
  explicit Cuts(std::span<const std::string> tokens) {
    std::vector<uint64_t> pairs;
    for (const std::string& token : tokens) add(token, pairs);
    const size_t bits = std::bit_ceil(std::max<size_t>(1024, pairs.size() * 8));
    shift_ = 64 - std::countr_zero(bits);
    spanned_.resize(bits / 64);
    for (uint64_t pair : pairs) set(spanned_, place(pair));
  }

  // The first border after p that no token spans, or `end`.
  const uint8_t* next(const uint8_t* p, const uint8_t* end) const {
    uint32_t left = 0;
    const uint8_t* q = p + character(p, end, left);
    while (q < end) {
      uint32_t right = 0;
      const size_t length = character(q, end, right);
      if (left && right && !test(joined_, size_t{q[-1]} << 8 | *q) && !test(spanned_, place(uint64_t{left} << 32 | right))) return q;
      left = right;
      q += length;
    }
    return end;
  }

 private:
  // The length of the character at p, and its bytes as a number; 0 when it is not valid UTF-8.
  static size_t character(const uint8_t* p, const uint8_t* end, uint32_t& value) {
    if (*p < 0x80) return value = *p | 0x80000000u, 1;  // no character is 0
    const base::CodePoint c = base::decode_utf8({reinterpret_cast<const char*>(p), static_cast<size_t>(end - p)}, 0);
    value = c.valid ? static_cast<uint32_t>(c.value) : 0;
    return c.length;
  }

  void add(const std::string& token, std::vector<uint64_t>& pairs) {
    const auto* begin = reinterpret_cast<const uint8_t*>(token.data());
    const auto* end = begin + token.size();
    for (const uint8_t* p = begin + 1; p < end; ++p) {
      if ((*p & 0xC0) == 0x80) continue;  // characters do not begin here
      const uint8_t* before = p - 1;
      while (before > begin && p - before < 4 && (*before & 0xC0) == 0x80) --before;
      uint32_t left = 0, right = 0;
      if (character(before, p, left) != static_cast<size_t>(p - before)) left = 0;
      character(p, end, right);
      if (left && right) pairs.push_back(uint64_t{left} << 32 | right);
      else set(joined_, size_t{p[-1]} << 8 | *p);
    }
  }

  size_t place(uint64_t pair) const { return (pair * 0x9E3779B97F4A7C15u) >> shift_; }
  static void set(std::vector<uint64_t>& bits, size_t i) { bits[i / 64] |= uint64_t{1} << (i % 64); }
  static bool test(const std::vector<uint64_t>& bits, size_t i) { return bits[i / 64] >> (i % 64) & 1; }

  std::vector<uint64_t> spanned_, joined_ = std::vector<uint64_t>(65536 / 64);
  int shift_ = 0;
};

}  // namespace picochat::tokenizer
