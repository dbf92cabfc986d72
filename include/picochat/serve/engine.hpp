// Continuous batching over one preallocated key-value cache. Requests come from any thread; one thread of the engine
// advances all of them together, a token each per step, and gives a free row to the next request in the order of
// arrival. A row keeps its tokens when its request ends, so that the next turn of a conversation runs only what is new.
//
// What a request yields depends on the request alone: not on its neighbours, on their number, or on what was reused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "picochat/eval/language_model.hpp"
#include "picochat/model/sampling.hpp"

namespace picochat::serve {

using tokenizer::TokenId;

// When the context is full:
enum class AtContextEnd {
  kStop,   // the text ends
  kSlide,  // the first token and the newer half of the context are kept, and the text goes on
};

struct GenerationRequest {
  std::vector<TokenId> prompt;  // at least one token, no more than the context
  int64_t max_new_tokens = 100;
  model::SamplingOptions sampling;
  uint64_t stream = 0;  // draws are a function of (seed, stream, position)
  std::vector<std::string> stop;
  AtContextEnd at_context_end = AtContextEnd::kStop;
  bool stop_at_end_token = true;         // false: go on to max_new_tokens, for measurements
  std::optional<int64_t> logprobs;       // record each token's log-probability, with so many of the likeliest tokens
  bool prompt_logprobs = false;          // of the prompt's tokens too
  double max_seconds = 0;                // from submission; 0: no limit
  bool watched = false;                  // somebody reads the text as it comes
};

enum class FinishReason {
  kEnd,         // <|end|>, <eos> or another special token
  kStopString,
  kLength,      // max_new_tokens
  kContext,     // the context is full
  kTime,        // max_seconds
  kCancelled,   // by its owner, or because the engine shuts down
  kFailed,      // a defect; `error` says which
};
std::string to_text(FinishReason reason);  // "end" "stop" "length" "context" "time" "cancelled" "failed"

struct ScoredToken {
  TokenId id = 0;
  std::optional<double> logprob;                    // natural log of the model's probability; absent for the first token of a prompt
  std::vector<std::pair<TokenId, double>> likeliest;  // by falling probability
};

// A request at work. Its owner waits and reads; the engine writes. All calls are safe from both.
class Generation {
 public:
  ~Generation();
  // Waits until there is text that was not taken yet or the end has come, `seconds` at most.
  void wait(double seconds);
  std::string take_text();  // what has come since the last call
  bool finished() const;
  void cancel();            // the engine drops it before its next step

  // After the end:
  FinishReason reason() const;
  const std::string& text() const;                  // all of it
  const std::vector<TokenId>& tokens() const;       // generated, without the one that ended it
  // One for each of tokens() and, after them, for the special token that ended the text; when asked for.
  const std::vector<ScoredToken>& scored() const;
  const std::vector<ScoredToken>& scored_prompt() const;
  int64_t reused_tokens() const;                    // of the prompt, found in the cache
  double seconds_to_first_token() const;            // from submission; -1: none came
  double seconds() const;
  const std::string& error() const;

  struct State;  // shared with the engine; private to the room

 private:
  friend class Engine;
  explicit Generation(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct EngineOptions {
  int64_t rows = 32;              // requests advanced together
  int64_t max_length = 0;         // tokens of a row; 0: the model's context
  int64_t queue_limit = 256;      // requests waiting for a row
  int64_t prefill_tokens = 256;   // prompt tokens that one step may run, so that a long prompt does not hold up the others
  bool kv_cache = true;           // false: the whole text again for every token; what the cache is compared with
  // Where a step's time goes into reading the matrices, a copy of them in 8 bits guesses up to so many tokens ahead, and one
  // step checks them all. Each token is still the model's own: the texts are the same. 0: no guesses.
  int64_t draft_tokens = 7;
  int64_t draft_matrix_bytes = int64_t{8} << 20;  // smaller matrices stay in the caches, and guesses would not pay
  int threads = 0;                // of matrix products; 0: the cores of this process
};

struct EngineCounters {
  int64_t submitted = 0, finished = 0, cancelled = 0, failed = 0, refused = 0;
  int64_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0, steps = 0;
  int64_t drafted_tokens = 0, accepted_tokens = 0;  // guessed ahead, and rightly
  int64_t waiting = 0, active = 0;  // now
};

class Engine {
 public:
  Engine(eval::LanguageModel model, const EngineOptions& options = {});
  ~Engine();  // cancels what is left

  // Null when the queue is full or the engine is closed.
  std::shared_ptr<Generation> submit(GenerationRequest request);
  // No further requests are taken.
  void close();
  EngineCounters counters() const;

  const eval::LanguageModel& model() const;
  const tokenizer::Tokenizer& tokenizer() const { return *model().tokenizer; }
  int64_t context_size() const;  // of a row
  int64_t cache_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace picochat::serve
