#include "picochat/base/digest.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/document.hpp"

namespace picochat::corpus {
namespace {

bool is_ascii_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

void append_normalized(std::string& out, std::string_view text) {
  const size_t start = out.size();
  // Lower-casing may lengthen a code point by a byte (U+023A is 2 bytes, its lower case 3), so room is
  // kept for the next code point, not for the whole text.
  out.resize(start + text.size() + 8);
  size_t n = start;
  bool space = true;  // also drops leading white space
  for (size_t i = 0; i < text.size();) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      const bool is_space = is_ascii_space(c);
      out[n] = is_space ? ' ' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      n += !(is_space && space);
      space = is_space;
      ++i;
      continue;
    }
    const base::CodePoint point = base::decode_utf8(text, i);
    if (n + (text.size() - i) + 8 > out.size()) out.resize(out.size() + out.size() / 2 + 16);
    if (point.valid && base::char_class(point.value) == base::CharClass::kSpace) {
      out[n] = ' ';
      n += !space;
      space = true;
    } else {
      std::string lowered;
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
