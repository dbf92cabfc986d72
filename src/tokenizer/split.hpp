// The split pattern as a scanner. Left to right, first alternative that fits:
//
//   '(?i:[sdmt]|ll|ve|re)            contraction
//   [^\r\n\p{L}\p{N}]?+\p{L}+        a word, with one character of space or punctuation before it
//   \p{N}                            one digit
//    ?[^\s\p{L}\p{N}]++[\r\n]*       punctuation, with a space before and line ends after
//   \s*[\r\n]                        white space up to its last line end
//   \s+(?!\S) | \s+                  white space; its last character is left to the piece that follows
//
// Every character belongs to some piece, so pieces tile the text. Classes are those of the Hugging
// Face engine (base/unicode.hpp). Invalid UTF-8 counts as punctuation, one character per maximal
// subpart. Each byte is looked at a bounded number of times.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "picochat/base/unicode.hpp"

namespace picochat::tokenizer {

inline constexpr std::string_view kSplitPattern =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";

namespace split_detail {

using base::CharClass;

struct Char {
  CharClass kind;
  uint8_t length;
};

inline constexpr auto kAsciiClass = [] {
  std::array<CharClass, 128> table{};
  for (int c = 0; c < 128; ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) table[c] = CharClass::kLetter;
    else if (c >= '0' && c <= '9') table[c] = CharClass::kNumber;
    else if (c == ' ' || (c >= '\t' && c <= '\r')) table[c] = CharClass::kSpace;
    else table[c] = CharClass::kOther;
  }
  return table;
}();

inline Char char_beyond_ascii(const uint8_t* p, const uint8_t* end) {
  auto continues = [](uint8_t byte) { return (byte & 0xC0) == 0x80; };
  if (*p >= 0xC2 && *p < 0xE0 && end - p >= 2 && continues(p[1]))
    return {base::char_class((p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu)), 2};
  if ((*p & 0xF0) == 0xE0 && end - p >= 3 && continues(p[1]) && continues(p[2])) {
    char32_t value = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    if (value >= 0x800 && (value < 0xD800 || value > 0xDFFF)) return {base::char_class(value), 3};
  }
  base::CodePoint c = base::decode_utf8({reinterpret_cast<const char*>(p), static_cast<size_t>(end - p)}, 0);
  return {c.valid ? base::char_class(c.value) : CharClass::kOther, c.length};
}

inline Char char_at(const uint8_t* p, const uint8_t* end) {
  if (*p < 0x80) [[likely]] return {kAsciiClass[*p], 1};
  return char_beyond_ascii(p, end);
}

// The end of the letters that begin at p.
inline const uint8_t* letters_end(const uint8_t* p, const uint8_t* end) {
  for (;;) {
#if defined(__SSE2__)
    // Sixteen bytes at once: (c | 0x20) - 'a' < 26, by a signed comparison of values shifted to -128.
    while (end - p >= 16) {
      __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
      __m128i shifted = _mm_add_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8(static_cast<char>(-'a' - 128)));
      int letters = _mm_movemask_epi8(_mm_cmplt_epi8(shifted, _mm_set1_epi8(-128 + 26)));
      if (letters == 0xFFFF) {
        p += 16;
        continue;
      }
      p += std::countr_one(static_cast<uint32_t>(letters));
      break;
    }
#endif
    while (p < end && *p < 0x80 && kAsciiClass[*p] == CharClass::kLetter) ++p;
    if (p == end || *p < 0x80) return p;
    do {
      Char c = char_beyond_ascii(p, end);
      if (c.kind != CharClass::kLetter) return p;
      p += c.length;
    } while (p < end && *p >= 0x80);
    if (p == end) return p;
  }
}

inline const uint8_t* punctuation_end(const uint8_t* p, const uint8_t* end) {
  while (p < end) {
    Char c = char_at(p, end);
    if (c.kind != CharClass::kOther) break;
    p += c.length;
  }
  while (p < end && (*p == '\n' || *p == '\r')) ++p;
  return p;
}

inline const uint8_t* white_space_end(const uint8_t* p, const uint8_t* end) {
  const uint8_t* last = p;            // begin of the last character of the run
  const uint8_t* line_end = nullptr;  // just behind the last \r or \n
  const uint8_t* q = p;
  while (q < end) {
    Char c = char_at(q, end);
    if (c.kind != CharClass::kSpace) break;
    last = q;
    q += c.length;
    if (*last == '\n' || *last == '\r') line_end = q;
  }
  if (line_end) return line_end;
  return q == end || last == p ? q : last;
}

// Bytes of the contraction at p (*p is an apostrophe), 0 when there is none. Case folding makes
// U+017F (long s) an s.
inline int contraction(const uint8_t* p, const uint8_t* end) {
  if (end - p < 2) return 0;
  uint8_t a = p[1] | 0x20;
  if (p[1] < 0x80) {
    if (a == 's' || a == 'd' || a == 'm' || a == 't') return 2;
    if (end - p < 3) return 0;
    uint8_t b = p[2] | 0x20;
    return p[2] < 0x80 && ((a == 'l' && b == 'l') || ((a == 'v' || a == 'r') && b == 'e')) ? 3 : 0;
  }
  return end - p >= 3 && p[1] == 0xC5 && p[2] == 0xBF ? 3 : 0;
}

}  // namespace split_detail

// The end of the piece that begins at p; p < end.
inline const uint8_t* next_piece(const uint8_t* p, const uint8_t* end) {
  using namespace split_detail;
  Char first = char_at(p, end);
  const uint8_t* q = p + first.length;
  switch (first.kind) {
    case CharClass::kLetter: return letters_end(q, end);
    case CharClass::kNumber: return q;
    case CharClass::kOther:
      if (*p == '\'') {
        if (int length = contraction(p, end)) return p + length;
      }
      if (q < end && char_at(q, end).kind == CharClass::kLetter) return letters_end(q, end);
      return punctuation_end(q, end);
    case CharClass::kSpace: break;
  }
  if (q < end && *p != '\n' && *p != '\r') {
    CharClass second = char_at(q, end).kind;
    if (second == CharClass::kLetter) return letters_end(q, end);
    if (*p == ' ' && second == CharClass::kOther) return punctuation_end(q, end);
  }
  return white_space_end(p, end);
}

}  // namespace picochat::tokenizer
