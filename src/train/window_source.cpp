#include "picochat/train/window_source.hpp"

#include <algorithm>

#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::train {

WindowSource::WindowSource(const TokenStream& stream, const WindowOptions& options)
    : stream_(stream), options_(options), windows_((stream.size() - 1) / options.context_size) {
  base::require(windows_ > 0, "the training stream holds at least one window");
}

void WindowSource::prepare(int64_t step) { step_ = step; }

int64_t WindowSource::supervised_tokens() const { return options_.batch_size * options_.grad_accum_steps * options_.context_size; }

int64_t WindowSource::epoch() const { return (step_ - 1) * options_.batch_size * options_.grad_accum_steps / windows_; }

void WindowSource::fill(int64_t micro_step, MicroBatch& out) const {
  const int64_t length = options_.context_size, rows = options_.batch_size;
  out.rows = rows;
  out.length = length;
  out.tokens.resize(static_cast<size_t>(rows * length));
  out.targets.resize(out.tokens.size());
  out.segment_start.resize(options_.isolate_documents ? out.tokens.size() : 0);
  out.weights.clear();
  out.uniform_weight = 1.0f / static_cast<float>(supervised_tokens());
  for (int64_t row = 0; row < rows; ++row) {
    // The order depends on the place in the global sequence of rows alone, not on how a step is cut.
    const int64_t sequence = ((step_ - 1) * options_.grad_accum_steps + micro_step) * rows + row, epoch = sequence / windows_;
    const base::Permutation order(static_cast<uint64_t>(windows_), base::hash64(base::cat("window-order ", options_.seed, " ", epoch)));
    const auto window = static_cast<int64_t>(order(static_cast<uint64_t>(sequence % windows_)));
    fill_window(stream_, window * length, row, options_.isolate_documents, out);
  }
}

void fill_window(const TokenStream& stream, int64_t start, int64_t row, bool isolate_documents, MicroBatch& out) {
  const auto length = static_cast<size_t>(out.length), at = static_cast<size_t>(row) * length;
  std::vector<int32_t> tokens(length + 1);
  stream.read(start, tokens);
  std::copy_n(tokens.begin(), length, out.tokens.begin() + static_cast<ptrdiff_t>(at));
  std::copy_n(tokens.begin() + 1, length, out.targets.begin() + static_cast<ptrdiff_t>(at));
  if (!isolate_documents) return;
  int32_t segment = 0;
  for (size_t i = 0; i < length; ++i) {
    if (tokens[i] == static_cast<int32_t>(tokenizer::kBos)) segment = static_cast<int32_t>(i);
    out.segment_start[at + i] = segment;
  }
}

base::Json WindowSource::description() const {
  return {{"mode", "permutation"}, {"windows", windows_}, {"context_size", options_.context_size}, {"seed", options_.seed},
          {"document_isolation", options_.isolate_documents}, {"sequences_per_step", options_.batch_size * options_.grad_accum_steps}};
}

}  // namespace picochat::train
