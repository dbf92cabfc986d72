// Base training data: non-overlapping windows of the training stream, each epoch in a fresh
// permutation. Every window is seen exactly once per epoch.
#pragma once

#include "picochat/base/random.hpp"
#include "picochat/train/batch_source.hpp"
#include "picochat/train/split.hpp"

namespace picochat::train {

struct WindowOptions {
  int64_t context_size = 0;
  int64_t batch_size = 0;
  int64_t grad_accum_steps = 1;
  uint64_t seed = 0;
  bool isolate_documents = false;  // attention does not cross a <bos>
};

class WindowSource final : public BatchSource {
 public:
  WindowSource(const TokenStream& stream, const WindowOptions& options);
  void prepare(int64_t step) override;
  void fill(int64_t micro_step, MicroBatch& out) const override;
  int64_t supervised_tokens() const override;
  int64_t epoch() const override;
  int64_t max_rows() const override { return options_.batch_size; }
  int64_t max_length() const override { return options_.context_size; }
  base::Json description() const override;
  int64_t windows() const { return windows_; }

 private:
  const TokenStream& stream_;
  WindowOptions options_;
  int64_t windows_, step_ = 1;
};

// Fills row `row` of `out` with the window of `length` tokens at `start` and its targets, one later.
void fill_window(const TokenStream& stream, int64_t start, int64_t row, bool isolate_documents, MicroBatch& out);

}  // namespace picochat::train
