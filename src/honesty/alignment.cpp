#include "honesty/alignment.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace picochat::honesty {
namespace {

// Longest common subsequence in a band around the diagonal. common[d] is that of the phrase's first i words and
// the text's first i + d - kBand, for the row i that was done last.
template <typename Phrase, typename Text>
Alignment align_words(size_t phrase_size, size_t text_size, size_t allowed, Phrase phrase, Text text) {
  constexpr size_t kWidth = 2 * kBand + 1;
  std::array<uint32_t, kWidth + 1> common{}, reached{};  // reached: text words up to the last one in common
  for (size_t i = 0; i < phrase_size; ++i) {
    uint32_t best = 0;
    // In row i + 1 the cell d stands for i + 1 + d - kBand words of the text.
    for (size_t d = 0; d < kWidth; ++d) {
      const size_t words = i + 1 + d;
      uint32_t value = common[d + 1], at = reached[d + 1];  // without this word of the phrase
      if (words > kBand && words - kBand <= text_size) {
        const size_t j = words - kBand - 1;
        if (phrase(i) == text(j) && common[d] + 1 > value) value = common[d] + 1, at = static_cast<uint32_t>(j + 1);
        if (d > 0 && common[d - 1] > value) value = common[d - 1], at = reached[d - 1];
      } else if (words > kBand && d > 0 && common[d - 1] > value) {
        value = common[d - 1], at = reached[d - 1];  // past the text's end nothing is added
      }
      // In place: the cell to the right still holds the row before, the one to the left holds this one.
      common[d] = value, reached[d] = at;
      best = std::max(best, value);
    }
    if (i + 1 - best > allowed) return {allowed + 1, 0};
  }
  size_t best = 0;
  for (size_t d = 1; d < kWidth; ++d)
    if (common[d] > common[best]) best = d;
  return {phrase_size - common[best], reached[best]};
}

}  // namespace

Alignment align(std::span<const uint64_t> phrase, std::span<const uint64_t> text, size_t allowed) {
  return align_words(phrase.size(), text.size(), allowed, [&](size_t i) { return phrase[i]; }, [&](size_t j) { return text[j]; });
}

Alignment align_backwards(std::span<const uint64_t> phrase, std::span<const uint64_t> text, size_t allowed) {
  return align_words(phrase.size(), text.size(), allowed, [&](size_t i) { return phrase[phrase.size() - 1 - i]; },
                     [&](size_t j) { return text[text.size() - 1 - j]; });
}

double jaccard(std::span<const uint64_t> a, std::span<const uint64_t> b) {
  auto set_of = [](std::span<const uint64_t> words) {
    std::vector<uint64_t> set(words.begin(), words.end());
    std::sort(set.begin(), set.end());
    set.erase(std::unique(set.begin(), set.end()), set.end());
    return set;
  };
  const std::vector<uint64_t> left = set_of(a), right = set_of(b);
  size_t common = 0;
  for (size_t i = 0, j = 0; i < left.size() && j < right.size();) {
    if (left[i] == right[j]) ++common, ++i, ++j;
    else if (left[i] < right[j]) ++i;
    else ++j;
  }
  const size_t all = left.size() + right.size() - common;
  return all == 0 ? 1 : static_cast<double>(common) / static_cast<double>(all);
}

}  // namespace picochat::honesty
