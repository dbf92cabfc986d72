#include "picochat/base/unicode.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "base/unicode_tables.hpp"

namespace picochat::base {
namespace {

uint8_t byte_at(std::string_view text, size_t i) { return static_cast<uint8_t>(text[i]); }

// Bytes of the pure ASCII run that starts at `offset`.
size_t ascii_run(std::string_view text, size_t offset) {
  size_t i = offset;
  for (; i + 8 <= text.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if (word & 0x8080808080808080u) break;
  }
  while (i < text.size() && byte_at(text, i) < 0x80) ++i;
  return i - offset;
}

}  // namespace

// Table 3-7 of the Unicode standard: the second byte's range depends on the lead, the others are
// 80..BF. What does not continue ends the maximal subpart.
CodePoint decode_utf8(std::string_view text, size_t offset) {
  uint8_t lead = byte_at(text, offset);
  if (lead < 0x80) return {lead, 1, true};
  int more;
  uint8_t low = 0x80, high = 0xBF;
  char32_t value;
  if (lead >= 0xC2 && lead <= 0xDF) {
    more = 1, value = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    more = 2, value = lead & 0x0F;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    more = 3, value = lead & 0x07;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {kReplacement, 1, false};
  }
  for (int i = 1; i <= more; ++i) {
    if (offset + i >= text.size()) return {kReplacement, static_cast<uint8_t>(i), false};
    uint8_t next = byte_at(text, offset + i);
    if (next < low || next > high) return {kReplacement, static_cast<uint8_t>(i), false};
    value = value << 6 | (next & 0x3F);
    low = 0x80, high = 0xBF;
  }
  return {value, static_cast<uint8_t>(more + 1), true};
}

void append_utf8(std::string& out, char32_t c) {
  auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = kReplacement;
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  }
}

bool is_valid_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    size_t run = ascii_run(text, i);
    out.append(text, i, run);
    i += run;
    if (i == text.size()) break;
    CodePoint c = decode_utf8(text, i);
    append_utf8(out, c.value);
    i += c.length;
  }
  return out;
}

size_t count_code_points(std::string_view text) {
  size_t count = 0;
  for (size_t i = 0; i < text.size();) {
    size_t run = ascii_run(text, i);
    count += run;
    i += run;
    if (i == text.size()) break;
    i += decode_utf8(text, i).length;
    ++count;
  }
  return count;
}

char32_t to_lower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  const detail::LowerRun* end = detail::kLowerRuns + detail::kLowerRunCount;
  const detail::LowerRun* run =
      std::upper_bound(detail::kLowerRuns, end, c, [](char32_t value, const auto& r) { return value < r.first; });
  if (run == detail::kLowerRuns) return c;
  --run;
  if (c > run->last || (c - run->first) % run->stride != 0) return c;
  return c + run->difference;
}

}  // namespace picochat::base
