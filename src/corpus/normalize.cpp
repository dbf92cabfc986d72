#include <array>
#include <bit>
#include <cstring>
#include <vector>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "picochat/base/digest.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/document.hpp"

namespace picochat::corpus {
namespace {

bool is_ascii_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

#if defined(__SSE2__)
// Of sixteen bytes, those before the first that is not ASCII or would be dropped (white space after white space):
// their number. They are written in lower case, white space as blanks; `out` has room for all sixteen.
// space: the byte before was white space.
size_t normalize_sixteen(const char* in, char* out, bool& space) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
  auto between = [&](char low, char high) {  // bytes that are not ASCII are negative
    return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(low - 1))), _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(high + 1))));
  };
  const __m128i blanks = _mm_or_si128(between('\t', '\r'), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')));
  const __m128i lowered = _mm_or_si128(bytes, _mm_and_si128(between('A', 'Z'), _mm_set1_epi8(0x20)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_or_si128(_mm_andnot_si128(blanks, lowered), _mm_and_si128(blanks, _mm_set1_epi8(' '))));
  const auto spaces = static_cast<unsigned>(_mm_movemask_epi8(blanks));
  const unsigned stops = static_cast<unsigned>(_mm_movemask_epi8(bytes)) | (spaces & (spaces << 1 | (space ? 1u : 0u)));
  const auto taken = static_cast<size_t>(std::countr_zero(stops | 1u << 16));
  if (taken) space = spaces >> (taken - 1) & 1;
  return taken;
}
#endif

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// Of the code points of three bytes: whether they stay as they are, being neither white space nor capitals.
const std::vector<bool>& plain_three_bytes() {
  static const auto table = [] {
    std::vector<bool> out(0x10000);
    for (char32_t c = 0x800; c < 0x10000; ++c)
      out[c] = (c < 0xD800 || c > 0xDFFF) && base::char_class(c) != base::CharClass::kSpace && base::to_lower(c) == c;
    return out;
  }();
  return table;
}

// Of code points below U+0800: the UTF-8 of its lower case; empty for white space.
struct Lowered {
  char bytes[3];
  uint8_t length;
};
const std::array<Lowered, 0x800>& lowered_two_bytes() {
  static const auto table = [] {
    std::array<Lowered, 0x800> out{};
    for (char32_t c = 0x80; c < 0x800; ++c) {
      if (base::char_class(c) == base::CharClass::kSpace) continue;
      std::string bytes;
      base::append_utf8(bytes, base::to_lower(c));
      bytes.copy(out[c].bytes, 3);
      out[c].length = static_cast<uint8_t>(bytes.size());
    }
    return out;
  }();
  return table;
}

}  // namespace

void append_normalized(std::string& out, std::string_view text) {
  const size_t start = out.size();
  // Lower-casing may lengthen a code point by a byte (U+023A is 2 bytes, its lower case 3), so room is
  // kept for the next code point, not for the whole text.
  constexpr size_t kSlack = 16;  // what is written at once
  out.resize(start + text.size() + kSlack);
  size_t n = start;
  bool space = true;  // also drops leading white space
  std::string lowered;
  const auto& two_bytes = lowered_two_bytes();
  const auto& plain = plain_three_bytes();
  for (size_t i = 0; i < text.size();) {
    auto c = static_cast<unsigned char>(text[i]);
#if defined(__SSE2__)
    if (c < 0x80 && i + 16 <= text.size()) {
      const size_t taken = normalize_sixteen(text.data() + i, out.data() + n, space);
      i += taken, n += taken;
      if (taken == 16) continue;
      c = static_cast<unsigned char>(text[i]);
    }
#endif
    if (c < 0x80) {
      if (space && is_ascii_space(c)) {  // an indentation
        while (i < text.size() && is_ascii_space(static_cast<unsigned char>(text[i]))) ++i;
        continue;
      }
      space = is_ascii_space(c);
      out[n++] = space ? ' ' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      ++i;
      continue;
    }
    // Letters beyond ASCII seldom stand alone.
    for (; i < text.size() && (c = static_cast<unsigned char>(text[i])) >= 0x80;) {
      if ((c & 0xF0) == 0xE0 && i + 3 <= text.size() && continues(text[i + 1]) && continues(text[i + 2]) &&
          plain[static_cast<size_t>(c & 0x0F) << 12 | static_cast<size_t>(text[i + 1] & 0x3F) << 6 | (text[i + 2] & 0x3F)]) {
        std::memcpy(out.data() + n, text.data() + i, 3);
        i += 3, n += 3;
        space = false;
        continue;
      }
      if (n + (text.size() - i) + kSlack > out.size()) out.resize(out.size() + out.size() / 2 + kSlack);
      if (c >= 0xC2 && c < 0xE0 && i + 1 < text.size() && continues(text[i + 1])) {
        const Lowered& low = two_bytes[static_cast<size_t>(c & 0x1F) << 6 | (static_cast<unsigned char>(text[i + 1]) & 0x3F)];
        i += 2;
        if (low.length > 0) {
          std::memcpy(out.data() + n, &low, sizeof low);  // what is behind the letter is written over
          n += low.length;
          space = false;
          continue;
        }
        out[n] = ' ';
        n += !space;
        space = true;
        continue;
      }
      const base::CodePoint point = base::decode_utf8(text, i);
      if (point.valid && base::char_class(point.value) == base::CharClass::kSpace) {
        out[n] = ' ';
        n += !space;
        space = true;
      } else {
        lowered.clear();
        if (point.valid) base::append_utf8(lowered, base::to_lower(point.value));
        else lowered.assign(text.substr(i, point.length));
        for (char byte : lowered) out[n++] = byte;
        space = false;
      }
      i += point.length;
    }
  }
  if (n > start && space) --n;
  out.resize(n);
}

uint64_t normalized_hash(std::string_view text, uint64_t seed) {
  static thread_local std::string normalized;  // keeps its memory
  normalized.clear();
  append_normalized(normalized, text);
  return base::hash64(normalized, seed);
}

uint64_t document_key(std::string_view text, uint64_t seed) { return normalized_hash(text, seed); }

}  // namespace picochat::corpus
