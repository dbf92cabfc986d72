// Does a model recite? How much of what it generated stands word for word in the text it was trained on, by one
// streaming pass over that text, whatever its size and however it was fed to training; and whether it gives
// back a canary: a phrase that was put into the training text once to see. docs/honesty.md has the thresholds.
#pragma once

#include <string>
#include <vector>

#include "picochat/honesty/honesty.hpp"

namespace picochat::honesty {

struct GeneratedText {
  std::string name;  // how the report names it: "sample", "eval line 12"
  std::string text;
};

struct MemorizationInputs {
  std::vector<GeneratedText> generated;
  CorpusStream corpus;                   // null: not measured
  // Whether document number n of the stream is held out. Null: all are training text.
  std::function<bool(size_t)> held_out;
  std::vector<std::string> canaries;     // values that were put into the training text
  std::vector<std::string> probes;       // what the model said when asked to go on with a canary's beginning
  int64_t ngram_size = 8;
  int threads = 0;
};

// {status low | medium | high | not_measured, summary, ngram_size, generated_tokens, train_overlap_rate, train_overlap_ngrams,
// validation_..., longest_train_overlap_tokens, longest_train_overlap {name, file, document, offset, snippet},
// canary_values_in_train, canaries_planted, canary_hits}.
base::Json measure_memorization(const MemorizationInputs& inputs);

}  // namespace picochat::honesty
