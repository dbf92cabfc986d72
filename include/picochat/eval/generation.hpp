// Batched decoding. A finished row's place is taken by the next request at once; what a request
// yields does not depend on its neighbours, the batch size or the order.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "picochat/eval/language_model.hpp"

namespace picochat::eval {

struct GenerationOptions {
  double temperature = 0;  // 0: greedy
  int64_t top_k = 0;       // 0: off
  double top_p = 1, repetition_penalty = 1;
  uint64_t seed = 42;
  int64_t batch_rows = 32;
};

struct GenerationRequest {
  std::vector<tokenizer::TokenId> prompt;
  int64_t max_new_tokens = 80;
  uint64_t stream = 0;  // sampling draws are a function of (seed, stream): name the row, not its place in a batch
};

enum class StopReason {
  kEnd,            // <|end|> or <eos>
  kSpecial,        // another special token: the model began a turn of its own
  kLength,         // max_new_tokens
  kContext,        // the model's context is full
  kPromptTooLong,  // the prompt alone does not fit: nothing was generated
};
std::string to_text(StopReason reason);  // "end" "special" "length" "context" "prompt_too_long"

struct Generation {
  std::vector<tokenizer::TokenId> tokens;  // without the stop token
  std::string text;                        // decoded, as bytes
  StopReason stop = StopReason::kEnd;
};

// Results in the order of the requests; `done(index, generation)` is called as each ends. Interrupted
// between tokens when a signal is pending.
std::vector<Generation> generate(const LanguageModel& model, std::span<const GenerationRequest> requests,
                                 const GenerationOptions& options,
                                 const std::function<void(size_t, const Generation&)>& done = {});

// Plain text after <bos> + prompt, for samples of a base model: the new text only.
std::string continue_text(const LanguageModel& model, const std::string& prompt, int64_t max_new_tokens,
                          const GenerationOptions& options = {});

// One reply to one question in the chat format.
std::string reply_to(const LanguageModel& model, const std::string& user, int64_t max_new_tokens,
                     const GenerationOptions& options = {});

}  // namespace picochat::eval
