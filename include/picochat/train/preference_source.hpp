// DPO (Rafailov et al., "Direct Preference Optimization", 2023): pairs of replies to one prompt, of which one is preferred.
//
//   loss of a pair = -log sigmoid(beta * margin),  margin = (log p(chosen) - log ref(chosen)) - (log p(rejected) - log ref(rejected))
//
// with log-probabilities of the whole reply, and `ref` the model that training starts from. Its gradient is that of a weighted
// negative log-likelihood: each token of the chosen reply has the weight beta * sigmoid(-beta * margin), each of the rejected one minus that.
// So a micro-batch is scored, weighed, and trained on as any other; the reference's log-probabilities are measured once.
#pragma once

#include <memory>
#include <vector>

#include "picochat/model/transformer.hpp"
#include "picochat/tasks/preferences.hpp"
#include "picochat/train/process_group.hpp"
#include "picochat/train/sft_source.hpp"
#include "picochat/train/validation.hpp"

namespace picochat::train {

// The replies of pair p are 2p (chosen) and 2p + 1 (rejected), each with its prompt.
struct PreferencePairs {
  std::vector<SftExample> replies;
  std::vector<double> reference;  // log-probability of each reply under the reference model; empty until measured
  int64_t size() const { return static_cast<int64_t>(replies.size() / 2); }
};

struct PreferenceData {
  PreferencePairs train, validation;
  base::Json report;  // counts, skipped rows, split method, row indices of each side
};

// Encodes the rows, skips (and counts) pairs of which a side is longer than context_size + 1 tokens, and holds out a part as SFT does.
// BadInput when nothing is left to train on.
PreferenceData prepare_preferences(const tokenizer::Tokenizer& tokenizer, const std::vector<tasks::PreferenceRow>& rows, int64_t context_size, uint64_t seed,
                                   double val_fraction = 0.2);

struct DpoOptions {
  double beta = 0.1;
  bool length_normalize = false;  // log-probability per token of the reply
  int64_t context_size = 0, batch_size = 0, grad_accum_steps = 1;  // batches of pairs
  uint64_t seed = 0;
};

// Log-probability of each reply, or its mean over the reply's tokens. With a group every rank scores a part and all have all.
std::vector<double> reply_log_probabilities(const model::Config& config, const model::TransformerOptions& compute, const at::Tensor& parameters,
                                            const std::vector<SftExample>& replies, const DpoOptions& options, const std::shared_ptr<ProcessGroup>& group);

// Both keep a reference to `pairs`, whose reference has been measured.
class PreferenceSource final : public BatchSource {
 public:
  PreferenceSource(const PreferencePairs& pairs, const DpoOptions& options);
  void prepare(int64_t step) override;
  void fill(int64_t micro_step, MicroBatch& out) const override;
  bool needs_scores() const override { return true; }
  StepSums weigh(int64_t micro_step, const float* nll, MicroBatch& batch) const override;
  int64_t supervised_tokens() const override { return supervised_; }
  int64_t epoch() const override { return epoch_; }
  int64_t max_rows() const override { return 2 * options_.batch_size; }
  int64_t max_length() const override { return options_.context_size; }
  base::Json description() const override;

 private:
  const PreferencePairs& pairs_;
  DpoOptions options_;
  std::vector<int64_t> chosen_;  // pairs of the prepared step
  int64_t supervised_ = 0, epoch_ = 0;
};

std::unique_ptr<Validator> preference_validator(const PreferencePairs& pairs, const DpoOptions& options);

}  // namespace picochat::train
