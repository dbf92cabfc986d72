// Sentences of a corpus that a row can be made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/corpus/corpus.hpp"

namespace picochat::tasks {

struct Sentence {
  std::string text;
  std::vector<std::string> words;    // as written, without punctuation at their ends
  std::vector<std::string> content;  // distinct lower-case words of four letters and more, no stop words
};

enum class Side { kLessons, kQuestions };

// 40 to 320 characters with at least five content words; of one side, ordered by a hash with the seed,
// at most `limit`. The same corpus and seed give the same sentences.
std::vector<Sentence> pick_sentences(const corpus::Corpus& corpus, Side side, uint64_t seed, size_t limit);

// The distinct content words among `words`.
std::vector<std::string> content_words(const std::vector<std::string>& words);

}  // namespace picochat::tasks
