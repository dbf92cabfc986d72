// How much of a phrase stands in a text around a run of words that both share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace picochat::honesty {

// Words of `phrase` that are not found in order in `text`, read from the first word on of both, where up to
// kBand words may be put in or left out in all. Gives up above `allowed`: then the result is allowed + 1.
struct Alignment {
  size_t misses = 0;
  size_t text_words = 0;  // of the text, up to the last word found
};
inline constexpr size_t kBand = 6;
Alignment align(std::span<const uint64_t> phrase, std::span<const uint64_t> text, size_t allowed);
// The same, read from the last words towards the first.
Alignment align_backwards(std::span<const uint64_t> phrase, std::span<const uint64_t> text, size_t allowed);

// Jaccard index of the two sets of words.
double jaccard(std::span<const uint64_t> a, std::span<const uint64_t> b);

}  // namespace picochat::honesty
