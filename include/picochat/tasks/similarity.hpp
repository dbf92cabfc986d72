// How alike two prompts are, and all pairs above a threshold. Exact: filters skip only pairs that
// cannot reach the threshold.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace picochat::tasks {

// The words of a text (rules: word_scan.hpp) joined by single spaces.
std::string comparison_text(std::string_view text);

// max(Jaccard of the word sets, 2*LCS/(bytes of both)) of two comparison texts, in [0, 1]. Texts whose
// numbers or arithmetic signs differ ask different questions: their similarity is 0.
double prompt_similarity(std::string_view a, std::string_view b);

struct NearPair {
  size_t a, b;  // indices into the two lists (one list: a < b)
  double similarity;
};

// Every pair of comparison texts with similarity >= threshold, ordered by (a, b).
std::vector<NearPair> near_pairs(std::span<const std::string> list, double threshold);
std::vector<NearPair> near_pairs(std::span<const std::string> queries, std::span<const std::string> references,
                                 double threshold);

// The reference most like each query, and how like; similarities below `floor` are not refined: {npos, floor}.
struct Nearest {
  size_t index = static_cast<size_t>(-1);
  double similarity = 0;
};
std::vector<Nearest> nearest(std::span<const std::string> queries, std::span<const std::string> references, double floor);

}  // namespace picochat::tasks
