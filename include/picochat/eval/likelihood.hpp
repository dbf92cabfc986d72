// Log-likelihood of continuations: float32 logits, log-softmax and sums in float64.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "picochat/eval/language_model.hpp"
#include "picochat/eval/scoring.hpp"

namespace picochat::eval {

// log softmax of one token's logits; the sum runs in float64 in a fixed order.
class LogSoftmax {
 public:
  explicit LogSoftmax(std::span<const float> logits);
  double operator[](tokenizer::TokenId id) const { return static_cast<double>(logits_[id]) - best_ - log_sum_; }
  bool is_best(tokenizer::TokenId id) const { return static_cast<double>(logits_[id]) == best_; }

 private:
  std::span<const float> logits_;
  double best_, log_sum_;
};

// Continuations of one context; the context is run once for all that leave it whole.
struct LikelihoodRequest {
  std::vector<tokenizer::TokenId> context;                     // at least one token
  std::vector<std::vector<tokenizer::TokenId>> continuations;  // each at least one token
};
struct Likelihood {
  double logprob = 0;      // natural log, summed over the continuation
  bool greedy = false;     // every token of it was the most likely one
  bool truncated = false;  // the context lost tokens from the left to fit the model
};

struct LikelihoodOptions {
  int64_t batch_rows = 16;
  std::function<void(size_t done)> progress;  // requests done
};

// Whether the context with its longest continuation fits the model without truncation.
bool fits(const gate::ModelConfig& config, const LikelihoodRequest& request);

// One value per continuation, requests in order. What does not fit loses context from the left, as
// lm-evaluation-harness does. A continuation longer than the context size is BadInput.
// Throws Interrupted between batches on a signal.
std::vector<std::vector<Likelihood>> score_continuations(const LanguageModel& model, std::span<const LikelihoodRequest> requests,
                                                         const LikelihoodOptions& options = {});

// The labels of a choice row as replies to its prompt: the sum of the log-probabilities of the
// label's tokens. When one label's tokens begin another's, all get <|end|> appended; no other
// spelling is tried and nothing is normalised. A prompt that does not fit gives predicted = -1.
std::vector<ChoiceResult> score_choices(const LanguageModel& model, std::span<const tasks::EvalRow> rows,
                                        const LikelihoodOptions& options = {});

}  // namespace picochat::eval
