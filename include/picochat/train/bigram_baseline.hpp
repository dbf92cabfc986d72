// What a model must beat to have learned anything beyond word pairs: an interpolated Kneser-Ney
// bigram over tokens, fitted on the training tokens and scored on the validation windows.
// Kneser and Ney 1995; Chen and Goodman 1999, with one absolute discount n1 / (n1 + 2 n2).
#pragma once

#include <vector>

#include "picochat/train/split.hpp"
#include "picochat/train/validation.hpp"

namespace picochat::train {

// Scores the same targets as window_validator(stream, context_size): the windows' tokens after the first.
ValidationResult bigram_baseline(const TokenStream& train, const TokenStream& validation, int64_t context_size, int64_t vocab_size,
                                 const std::vector<uint32_t>& byte_lengths);

}  // namespace picochat::train
