// Text drawn evenly from a corpus, so that what a tokenizer does with it can be measured in seconds,
// with an interval, whatever the corpus's size.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "picochat/corpus/corpus.hpp"

namespace picochat::corpus {

// Neighbouring documents: the unit that an interval is computed over, for they resemble each other
// more than documents from elsewhere do.
struct SampleSpot {
  std::vector<std::string> documents;
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const auto& document : documents) sum += document.size();
    return sum;
  }
};

struct TextSample {
  std::vector<SampleSpot> spots;  // in corpus order
  bool whole = false;             // the corpus is no larger than what was asked for: this is all of it
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const auto& spot : spots) sum += spot.bytes();
    return sum;
  }
};

// About `wanted` bytes from `spots` places that lie evenly over the bytes of the included files, each
// moved a little by `seed`; sources count as often as their weight says. Long text files give a piece of
// theirs. The same corpus and arguments give the same sample.
TextSample sample_text(const Corpus& corpus, uint64_t wanted, int spots, uint64_t seed);

}  // namespace picochat::corpus
