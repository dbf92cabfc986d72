// Choosing the next token from logits.
#pragma once

#include <cstdint>
#include <exception>
#include <span>
#include <string>

#include "picochat/model/batch.hpp"

namespace picochat::model {

struct SamplingOptions {
  double temperature = 1;         // 0: the likeliest token (lowest id on ties)
  int64_t top_k = 0;              // 0: off; ties with the k-th value are kept
  double top_p = 1;               // 1: off; the token that crosses top_p is kept
  double repetition_penalty = 1;  // > 1 makes every token of the context less likely
  uint64_t seed = 42;

  void validate(const std::string& where) const;
};

// Order of operations: repetition penalty over the ids in `context` (prompt included), temperature, top-k, top-p,
// draw. The draw is a function of (seed, sequence, position) only, so that batching, resuming or skipping other
// sequences changes nothing.
TokenId sample(std::span<const float> logits, std::span<const TokenId> context, const SamplingOptions& options,
               uint64_t sequence, uint64_t position);

// A token to be drawn. What goes wrong with one is its own: `error` holds what sample() threw.
struct Draw {
  std::span<const float> logits;
  std::span<const TokenId> context;
  SamplingOptions options;
  uint64_t sequence = 0, position = 0;
  TokenId token = 0;
  std::exception_ptr error = {};
};

// sample() for each, on the compute threads.
void sample_each(std::span<Draw> draws);

}  // namespace picochat::model
