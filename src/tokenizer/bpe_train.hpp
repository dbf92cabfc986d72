// Learning merges from counted pieces.
#pragma once

#include "tokenizer/count.hpp"
#include "tokenizer/model.hpp"

namespace picochat::tokenizer {

// Adds tokens and merges to `model` (bytes only) until it has options.vocab_size tokens or no pair occurs at
// least options.min_freq times. The most frequent pair merges first; among equals the one with the smaller
// left id, then the smaller right id: Hugging Face's rule, and the result equals theirs.
void learn_merges(Model& model, PieceCounts counts, const TrainOptions& options);

}  // namespace picochat::tokenizer
