// A request while it has a row: its tokens, the window of them that the model sees, and what comes of its logits.
#pragma once

#include <span>

#include "picochat/serve/text_stream.hpp"
#include "serve/generation_state.hpp"

namespace picochat::serve {

class Sequence {
 public:
  Sequence(GenerationRequest request, std::shared_ptr<Generation> generation, Generation::State& state, const tokenizer::Tokenizer& tokenizer,
           int64_t context_size);

  const GenerationRequest& request() const { return request_; }
  Generation::State& state() { return state_; }

  // What the model has not run yet. Never empty while the sequence is alive.
  std::span<const TokenId> pending() const { return std::span(window_).subspan(cached_); }
  std::span<const TokenId> window() const { return window_; }
  std::span<const TokenId> tokens() const { return tokens_; }  // the prompt and what was generated
  int64_t tokens_to_come() const { return request_.max_new_tokens - static_cast<int64_t>(state_.tokens.size()); }
  bool scores_prompt() const { return request_.prompt_logprobs && tokens_.size() == request_.prompt.size(); }

  void reuse(size_t tokens);          // the row holds them
  void ran(size_t tokens) { cached_ += tokens; }
  // logits[i] follow pending()[i], before ran(): records the prompt's probabilities.
  void score_prompt(std::span<const float> logits, size_t vocab);
  // The model's answer to the whole window: a token is to be drawn from it.
  model::Draw draw(std::span<const float> logits) const { return draw(logits, tokens_); }
  // The same for a context that goes on after tokens().
  model::Draw draw(std::span<const float> logits, std::span<const TokenId> context) const;
  // Takes the token that was drawn, or throws what drawing it threw. True while there is more to come.
  bool advance(const model::Draw& drawn);
  // True when the window began anew: the row is to be cleared and the window run again.
  bool slid() const { return slid_; }
  bool take_slide() { return std::exchange(slid_, false); }
  bool expired() const;
  bool finish(FinishReason reason, const std::string& error = "");  // false

 private:
  void slide();

  GenerationRequest request_;
  std::shared_ptr<Generation> generation_;  // keeps state_ alive
  Generation::State& state_;
  const tokenizer::Tokenizer& tokenizer_;
  const int64_t context_size_;
  TextStream stream_;
  std::vector<TokenId> tokens_, window_;
  size_t cached_ = 0;
  bool slid_ = false;
};

}  // namespace picochat::serve
