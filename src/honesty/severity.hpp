// When an overlap is the prompt itself and not just near it: the one rule of honesty check and decontamination.
#pragma once

#include "honesty/phrase_index.hpp"

namespace picochat::honesty {

// Share of a prompt from which a run of shared words is the prompt.
inline constexpr double kBlockingCoverage = 0.80;

inline bool is_blocking(const PhraseHit& hit, double ngram_words) {
  return hit.whole || (hit.run_length >= ngram_words && hit.coverage >= kBlockingCoverage);
}

}  // namespace picochat::honesty
