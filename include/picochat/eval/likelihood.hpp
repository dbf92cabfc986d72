// Log-likelihood of continuations: float32 logits and log-softmax, float64 sums.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "picochat/eval/language_model.hpp"
#include "picochat/eval/scoring.hpp"

namespace picochat::eval {

struct LikelihoodRequest {
  std::vector<tokenizer::TokenId> context;       // at least one token
  std::vector<tokenizer::TokenId> continuation;  // at least one token
};
struct Likelihood {
  double logprob = 0;      // natural log, summed over the continuation
  bool greedy = false;     // every token of it was the most likely one
  bool truncated = false;  // the context lost tokens from the left to fit the model
};

// Results in the order of the requests. `truncate_left`: as lm-evaluation-harness does; else a
// request that does not fit is an internal error (callers check).
std::vector<Likelihood> score_continuations(const LanguageModel& model, std::span<const LikelihoodRequest> requests,
                                            bool truncate_left, int64_t batch_tokens = 4096,
                                            const std::function<void(size_t done)>& progress = {});

// The labels of a choice row as replies to its prompt: the sum of the log-probabilities of the
// label's tokens. When one label's tokens begin another's, all get <|end|> appended; nothing else is
// tried and nothing is normalised.
std::vector<ChoiceResult> score_choices(const LanguageModel& model, std::span<const tasks::EvalRow* const> rows);

}  // namespace picochat::eval
