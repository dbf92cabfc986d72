#include <array>
#include <bit>
#include <cstring>

#include "picochat/base/digest.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/document.hpp"

namespace picochat::corpus {
namespace {

bool is_ascii_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Eight bytes at a time: the top bit of each byte of the result says whether that byte, below 0x80, is at
// least `least`.
constexpr uint64_t kOnes = 0x0101010101010101, kTops = 0x80 * kOnes;
uint64_t at_least(uint64_t bytes, uint64_t least) { return (bytes + (0x80 - least) * kOnes) & kTops; }

// Of eight bytes, those before the first that is not ASCII or would be dropped (white space after white space):
// their number. They are written in lower case, white space as blanks; `out` has room for all eight.
// space: the byte before was white space.
size_t normalize_eight(const char* in, char* out, bool& space) {
  uint64_t bytes;
  std::memcpy(&bytes, in, 8);
  const uint64_t beyond = bytes & kTops;
  bytes &= ~kTops;  // so that no byte's sum reaches the next
  const uint64_t control = at_least(bytes, '\t') & ~at_least(bytes, '\r' + 1);
  const uint64_t spaces = control | (at_least(bytes, ' ') & ~at_least(bytes, ' ' + 1));
  const uint64_t stops = beyond | (spaces & (spaces << 8 | (space ? 0x80 : 0)));
  const uint64_t upper = at_least(bytes, 'A') & ~at_least(bytes, 'Z' + 1);
  bytes = (bytes & ~((control >> 7) * 0xFF)) | control >> 2 | upper >> 2;  // bit 5 makes a blank of 0, a small letter of a capital
  std::memcpy(out, &bytes, 8);
  const size_t taken = stops ? static_cast<size_t>(std::countr_zero(stops)) / 8 : 8;
  if (taken) space = spaces >> (8 * taken - 1) & 1;
  return taken;
}

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// U+0800 to U+0FFF and U+3000 to U+9FFF (Indic scripts, Thai, Japanese, Chinese) have no capitals, and one white space.
bool is_caseless(std::string_view text, size_t i) {
  const auto lead = static_cast<unsigned char>(text[i]);
  if ((lead != 0xE0 && (lead < 0xE3 || lead > 0xE9)) || i + 3 > text.size() || !continues(text[i + 1]) || !continues(text[i + 2])) return false;
  const auto second = static_cast<unsigned char>(text[i + 1]);
  return lead == 0xE0 ? second >= 0xA0 : lead != 0xE3 || second != 0x80 || static_cast<unsigned char>(text[i + 2]) != 0x80;
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
  out.resize(start + text.size() + 8);
  size_t n = start;
  bool space = true;  // also drops leading white space
  std::string lowered;
  const auto& two_bytes = lowered_two_bytes();
  for (size_t i = 0; i < text.size();) {
    if (i + 8 <= text.size()) {
      const size_t taken = normalize_eight(text.data() + i, out.data() + n, space);
      i += taken, n += taken;
      if (taken == 8) continue;
    }
    auto c = static_cast<unsigned char>(text[i]);
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
    if (is_caseless(text, i)) {
      std::memcpy(out.data() + n, text.data() + i, 3);
      i += 3, n += 3;
      space = false;
      continue;
    }
    if (n + (text.size() - i) + 8 > out.size()) out.resize(out.size() + out.size() / 2 + 16);
    if (c >= 0xC2 && c < 0xE0 && i + 1 < text.size() && continues(text[i + 1])) {
      const Lowered& low = two_bytes[static_cast<size_t>(c & 0x1F) << 6 | (static_cast<unsigned char>(text[i + 1]) & 0x3F)];
      std::memcpy(out.data() + n, low.length ? low.bytes : " ", low.length ? 3 : 1);
      n += low.length ? low.length : !space;
      space = low.length == 0;
      i += 2;
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
  if (n > start && space) --n;
  out.resize(n);
}

uint64_t normalized_hash(std::string_view text, uint64_t seed) {
  std::string normalized;
  append_normalized(normalized, text);
  return base::hash64(normalized, seed);
}

uint64_t document_key(std::string_view text, uint64_t seed) { return normalized_hash(text, seed); }

}  // namespace picochat::corpus
