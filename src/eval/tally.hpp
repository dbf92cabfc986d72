// Counts over scored rows: what the summary and every bucket of a breakdown are made of.
#pragma once

#include <cstdint>

#include "picochat/base/json.hpp"
#include "picochat/eval/scoring.hpp"

namespace picochat::eval {

struct Mean {
  double sum = 0;
  int64_t n = 0;
  void add(double value) { sum += value, ++n; }
  void add(const std::optional<double>& value) {
    if (value) add(*value);
  }
  base::Json json() const { return n ? base::Json(sum / static_cast<double>(n)) : base::Json(nullptr); }
};

struct Hits {
  int64_t hits = 0, n = 0;
  void add(bool hit) { hits += hit, ++n; }
};

// A category with "refusal" in its name, or a row that cannot be answered: the model should decline.
bool expects_refusal(const tasks::EvalRow& row);

struct Tally {
  int64_t examples = 0, unscored = 0, generated = 0, new_tokens = 0;
  Hits pass;                       // over rows with a rule
  Hits unsupported;                // over rows with forbidden phrases: one was said
  Hits echo;                       // over generated rows
  Hits missing_support;            // over rows with required phrases
  Hits missing_entity;             // over rows with required entities
  Hits length;                     // over rows with bounds
  Hits corpus_support;             // over rows that require support, where it was measured: it failed
  Hits answer;                     // over rows with a normalised answer: correct
  Hits answer_failure;             // over rows that it decides: wrong
  Hits support;                    // over requirements: found
  Hits answerable_support;         // the same in answerable rows
  Hits choice, choice_margin, choice_low_margin;
  int64_t prompts_too_long = 0, cut_by_length = 0;
  Mean token_f1, rouge_l, entity_rate, corpus_rate, repetition, choice_baseline, choice_margin_mean, choice_correct_margin;

  void add(const ScoredRow& row);
  // The keys that every bucket has.
  base::Json json(double confidence) const;
};

}  // namespace picochat::eval
