// How alike two prompts are, and all pairs above a threshold without comparing every pair.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picochat::tasks {

// Words of a text for comparison: runs of letters and digits of any script, lower-cased; han, kana
// and other scripts without spaces give one word a character.
std::vector<std::string> comparison_words(std::string_view text);

// max(Jaccard of the word sets, 2*LCS/(words of both)): 1 for equal texts. The longest common
// subsequence is over words, so that a changed digit or name counts as a changed word.
double prompt_similarity(const std::vector<std::string>& a, const std::vector<std::string>& b);

struct NearPair {
  size_t a, b;       // indices into the two lists (the same list: a < b)
  double similarity;
};

// Every pair with similarity >= threshold. Candidates come from a prefix index over rare words:
// exact, no pair is missed. Results are ordered by (a, b).
using WordLists = std::vector<std::vector<std::string>>;
std::vector<NearPair> near_pairs(const WordLists& list, double threshold);
std::vector<NearPair> near_pairs(const WordLists& queries, const WordLists& references, double threshold);

}  // namespace picochat::tasks
