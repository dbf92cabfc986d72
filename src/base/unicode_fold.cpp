#include "picochat/base/unicode_fold.hpp"

#include <vector>

#include "base/unicode_fold_tables.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::base {
namespace {

// The basic plane looks its folding up in one step; the tables are unpacked at the first use (256 KiB).
// An entry is a code point, or kSeveral + place in kFoldOthers.
constexpr uint32_t kSeveral = 0x8000'0000;
constexpr char32_t kPlane = 0x10000;

char32_t find_in_runs(char32_t c) {
  int low = 0, high = detail::kFoldRunCount;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (detail::kFoldRuns[middle].last < c) low = middle + 1;
    else high = middle;
  }
  if (low == detail::kFoldRunCount) return c;
  const detail::LowerRun& run = detail::kFoldRuns[low];
  if (c < run.first || (c - run.first) % static_cast<uint32_t>(run.stride) != 0) return c;
  return static_cast<char32_t>(static_cast<int64_t>(c) + run.difference);
}

std::vector<uint32_t> unpack_plane() {
  std::vector<uint32_t> plane(kPlane);
  for (uint32_t c = 0; c < kPlane; ++c) plane[c] = c < 0x80 ? static_cast<uint32_t>(to_lower(c)) : c;
  for (int i = 0; i < detail::kFoldRunCount; ++i) {
    const detail::LowerRun& run = detail::kFoldRuns[i];
    for (uint32_t c = run.first; c <= run.last && c < kPlane; c += static_cast<uint32_t>(run.stride))
      plane[c] = static_cast<uint32_t>(static_cast<int64_t>(c) + run.difference);
  }
  for (int i = 0; i < detail::kFoldOtherCount; ++i)
    if (detail::kFoldOthers[i].code_point < kPlane) plane[detail::kFoldOthers[i].code_point] = kSeveral + static_cast<uint32_t>(i);
  return plane;
}

// Unicode 16, section 3.12: a syllable is leading consonant, vowel, and perhaps a trailing consonant.
std::span<const char32_t> hangul(char32_t c, FoldBuffer& buffer) {
  const uint32_t index = c - 0xAC00;
  buffer = {0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11A7 + index % 28, 0};
  return std::span<const char32_t>(buffer).first(index % 28 == 0 ? 2 : 3);
}

}  // namespace

std::span<const char32_t> fold_code_point(char32_t c, FoldBuffer& buffer) {
  if (c >= 0xAC00 && c <= 0xD7A3) return hangul(c, buffer);
  uint32_t folded = c;
  if (c < kPlane) {
    static const std::vector<uint32_t> plane = unpack_plane();
    folded = plane[c];
  } else {
    folded = static_cast<uint32_t>(find_in_runs(c));
  }
  if (folded >= kSeveral) {
    const detail::FoldOther& other = detail::kFoldOthers[folded - kSeveral];
    return {detail::kFoldPool + other.offset, other.length};
  }
  buffer[0] = folded;
  return std::span<const char32_t>(buffer).first(1);
}

std::string fold_text(std::string_view text) {
  std::string out;
  FoldBuffer buffer;
  for (size_t i = 0; i < text.size();) {
    const CodePoint point = decode_utf8(text, i);
    for (char32_t c : fold_code_point(point.value, buffer)) append_utf8(out, c);
    i += point.length;
  }
  return out;
}

}  // namespace picochat::base
