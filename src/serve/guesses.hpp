// Speculative decoding: the decoder's copy of the matrices in 8 bits guesses some tokens ahead, then the model itself runs all
// of them in one step. What it draws after each of them stands, up to the first that differs from the guess.
#pragma once

#include <span>
#include <vector>

#include "picochat/model/decoder.hpp"
#include "serve/sequence.hpp"

namespace picochat::serve {

// Of one text that has one token to run.
class Guesses {
 public:
  Guesses(const Sequence& sequence, int64_t row, size_t wanted);

  size_t wanted() const { return wanted_; }
  // The token to run and the guesses that follow it.
  std::span<const TokenId> tokens() const { return std::span(context_).subspan(known_ - 1); }
  // What the model draws after each of tokens(); each holds where the ones before it are right.
  std::span<const model::Draw> draws() const { return draws_; }

 private:
  friend void guess_and_run(model::Decoder& decoder, std::span<Guesses> texts, std::span<float> logits);
  bool goes_on() const { return tokens().size() <= wanted_; }

  const Sequence* sequence_;
  int64_t row_;
  size_t wanted_, known_;
  std::vector<TokenId> context_;  // of the text, then the guesses
  std::vector<model::Draw> draws_;
};

// Fills in the guesses and the draws; the rows then hold tokens(). logits: vocab_size values for each of all tokens together,
// to which the draws point.
void guess_and_run(model::Decoder& decoder, std::span<Guesses> texts, std::span<float> logits);

}  // namespace picochat::serve
