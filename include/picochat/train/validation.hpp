// Held-out loss over a fixed set of tokens, the same at every evaluation: forward pass in training
// precision, log-softmax in float32, sums in float64, with a standard error.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/model/transformer.hpp"
#include "picochat/train/sft_source.hpp"
#include "picochat/train/split.hpp"

namespace picochat::train {

struct ValidationResult {
  double loss = 0, loss_stderr = 0;   // nats per scored token; of DPO per pair
  double bpb = 0, bpb_stderr = 0;     // bits per byte of the text that the scored tokens stand for
  int64_t tokens = 0, bytes = 0, sequences = 0;
  int64_t pairs = 0;                  // of DPO: pairs of replies, in place of tokens
  double accuracy = 0, reward_margin = 0;  // part of the pairs with a margin above 0; mean margin
};
base::Json to_json(const ValidationResult& result);

// One window's or conversation's share; results are ratios of sums over sequences.
struct SequenceScore {
  double nats = 0;        // all scored tokens
  double text_nats = 0;   // scored tokens that stand for bytes of text (specials do not)
  int64_t tokens = 0, bytes = 0;
  int64_t pairs = 0;      // 1: a pair of replies, whose objective is in `nats`
  double margin = 0;      // by which the model prefers the chosen reply more than the reference does, in nats

  // One scored token that stands for `bytes_of_token` bytes of text.
  void add(double token_nats, uint32_t bytes_of_token) {
    nats += token_nats;
    ++tokens;
    if (bytes_of_token > 0) text_nats += token_nats, bytes += bytes_of_token;
  }
};
// The standard error is that of a ratio estimator over sequences (Cochran, Sampling Techniques, 6.4).
ValidationResult summarize(const std::vector<SequenceScore>& scores);

class Validator {
 public:
  virtual ~Validator() = default;
  // The held-out tokens in batches, so that ranks can share them; a score does not depend on what else is in its batch.
  virtual int64_t batches() const = 0;
  virtual void score(int64_t batch, model::Transformer& transformer, const model::Parameters& parameters, std::vector<SequenceScore>& scores) = 0;  // appends
  ValidationResult run(model::Transformer& transformer, const model::Parameters& parameters);
};

// Non-overlapping windows over the whole validation stream. byte_lengths[id]: bytes a token stands for.
std::unique_ptr<Validator> window_validator(const TokenStream& stream, int64_t context_size, int64_t batch_size, bool isolate_documents,
                                            std::vector<uint32_t> byte_lengths);
// The supervised tokens of held-out conversations, in packed rows.
std::unique_ptr<Validator> sft_validator(const std::vector<SftExample>& examples, int64_t context_size, int64_t batch_size,
                                         std::vector<uint32_t> byte_lengths);

std::vector<uint32_t> byte_lengths(const tokenizer::Tokenizer& tokenizer);

}  // namespace picochat::train
