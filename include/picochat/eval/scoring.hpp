// One reply against the rules of its row. Pure: the same row and reply give the same score.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/tasks/rows.hpp"

namespace picochat::eval {

inline constexpr const char* kChoiceScoring = "label_loglikelihood";  // see likelihood.hpp

// Log-likelihood of each label of a choice row, in the order of choice_labels.
struct ChoiceResult {
  std::vector<double> logprobs;       // sum of natural log-probabilities of the label's tokens
  std::vector<int64_t> token_counts;
  int64_t predicted = -1;             // index of the best label; the first of equal ones
  bool tie = false;                   // the best value is shared: never counted as correct
};

struct RowScore {
  bool scored = true;   // false: the row has no rule that a reply could fail, so it says nothing
  bool passed = false;
  std::vector<std::string> missing;
  std::vector<std::vector<std::string>> missing_any;
  std::vector<std::string> found_forbidden;
  std::vector<std::string> missing_entities;
  std::vector<std::string> length_violations;  // "min_words", "max_words", "min_chars", "max_chars"
  std::vector<std::string> prompt_echo_reasons;
  bool empty_reply = false;
  bool refusal_match = false;
  int64_t support_total = 0, support_matched = 0;  // required phrases and groups, and those found
  int64_t entity_total = 0, entity_matched = 0;
  bool normalized_answer_checked = false, normalized_answer_correct = false, normalized_answer_decides = false;
  std::string normalized_answer_match;  // the candidate that agreed
  int64_t word_count = 0, char_count = 0;
  std::optional<double> reference_token_f1, reference_rouge_l;
  double repetition_ngram_rate = 0, unique_word_rate = 1;
  std::optional<double> corpus_support_rate;  // not measured without a corpus or without content words
  bool corpus_support_failed = false;
  std::vector<std::string> unsupported_words;  // at most 12
  std::optional<bool> choice_correct;         // choice rows only
  std::optional<double> choice_margin;         // best minus second
  std::optional<double> choice_correct_margin; // correct minus best other

  std::vector<std::string> failure_reasons() const;  // names of docs/evaluation.md; empty when passed
};

struct ScoringOptions {
  bool case_sensitive = false;
  double corpus_support_threshold = 0.25;
};

// Words that occur in a corpus, out of those that were asked about.
using WordSet = std::unordered_set<std::string>;

// `support` null: no corpus was given.
RowScore score_reply(const tasks::EvalRow& row, std::string_view reply, const ScoringOptions& options,
                     const WordSet* support = nullptr);
RowScore score_choice(const tasks::EvalRow& row, const ChoiceResult& result);

// A row with what the model did and what it is worth.
struct ScoredRow {
  tasks::EvalRow row;
  std::string reply;
  std::string stop_reason;  // of generation.hpp, or "choice"
  int64_t max_new_tokens = 0, prompt_tokens = 0, new_tokens = 0;
  std::optional<ChoiceResult> choice;
  RowScore score;
};

base::Json example_json(const ScoredRow& row, int64_t index);  // index is 1-based

}  // namespace picochat::eval
