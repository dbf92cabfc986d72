// SFT data: conversations as token rows, split by group, drawn by category, packed so that no
// position is wasted and no conversation sees another.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "picochat/tasks/chat_format.hpp"
#include "picochat/train/batch_source.hpp"

namespace picochat::train {

struct SftExample {
  std::vector<int32_t> tokens;
  std::vector<uint8_t> supervised;
  std::string category;
  int64_t row = 0;  // index into the chat rows
};

struct SftData {
  std::vector<SftExample> train, validation;
  base::Json report;  // counts, skipped rows, split method, row indices of each side, label audit
};

// Encodes the rows, skips (and counts) those longer than context_size + 1 tokens, and holds out a
// part: whole groups when every row has one (and there are at least two), else single rows.
// BadInput when nothing is left to train on.
SftData prepare_sft(const tokenizer::Tokenizer& tokenizer, const std::vector<tasks::ChatRow>& rows, int64_t context_size, uint64_t seed,
                    double val_fraction = 0.2);

struct SftOptions {
  int64_t context_size = 0, batch_size = 0, grad_accum_steps = 1;
  std::string sampling = "uniform";   // uniform, category_sqrt, category_balanced
  std::string packing = "separate";   // separate: one conversation a row; bos_bestfit: best-fit packing
  uint64_t seed = 0;
};

// A sequence is a list of examples laid end to end in one row.
using PackedRow = std::vector<int64_t>;

// Best-fit decreasing: each example goes to the fullest row that still has room for its
// (tokens - 1) positions. Rows come in the order in which they were opened.
std::vector<PackedRow> pack_best_fit(const std::vector<SftExample>& examples, const std::vector<int64_t>& order, int64_t context_size);

// Lays packed rows out as a batch: attention stays inside each conversation, only supervised tokens
// have weight, padding has none. The row length is the longest row's, a multiple of 16.
void fill_packed(const std::vector<SftExample>& examples, const PackedRow* rows, int64_t count, int64_t context_size, float weight, MicroBatch& out);

class SftSource final : public BatchSource {
 public:
  SftSource(const std::vector<SftExample>& examples, const SftOptions& options);
  void prepare(int64_t step) override;
  void fill(int64_t micro_step, MicroBatch& out) const override;
  int64_t supervised_tokens() const override { return supervised_; }
  int64_t epoch() const override { return first_epoch_; }
  int64_t max_rows() const override { return options_.batch_size; }
  int64_t max_length() const override { return options_.context_size; }
  base::Json description() const override;

 private:
  const std::vector<PackedRow>& epoch_rows(int64_t epoch);
  const std::vector<SftExample>& examples_;
  SftOptions options_;
  std::vector<std::vector<PackedRow>> epochs_;   // made on demand, kept: an epoch's rows are a function of its number
  std::vector<PackedRow> rows_;                  // of the prepared step
  int64_t supervised_ = 0, first_epoch_ = 0;
};

}  // namespace picochat::train
