#include "picochat/train/split.hpp"

#include <algorithm>
#include <numeric>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/holdout.hpp"

namespace picochat::train {
namespace {

std::vector<Span> merged(std::vector<Span> spans) {
  std::vector<Span> out;
  for (const Span& span : spans) {
    if (span.start == span.end) continue;
    if (!out.empty() && out.back().end == span.start) out.back().end = span.end;
    else out.push_back(span);
  }
  return out;
}

int64_t total(const std::vector<Span>& spans) {
  return std::accumulate(spans.begin(), spans.end(), int64_t{0}, [](int64_t sum, const Span& s) { return sum + s.end - s.start; });
}

}  // namespace

TokenStream::TokenStream(std::shared_ptr<const TokenShards> shards, std::vector<Span> spans)
    : shards_(std::move(shards)), spans_(std::move(spans)), offsets_{0} {
  for (const Span& span : spans_) offsets_.push_back(offsets_.back() + span.end - span.start);
}

void TokenStream::read(int64_t start, std::span<int32_t> out) const {
  base::require(start >= 0 && start + static_cast<int64_t>(out.size()) <= size(), "token range inside the stream");
  size_t i = static_cast<size_t>(std::upper_bound(offsets_.begin(), offsets_.end(), start) - offsets_.begin()) - 1;
  for (size_t done = 0; done < out.size(); ++i) {
    const int64_t into = start + static_cast<int64_t>(done) - offsets_[i];
    const auto n = static_cast<size_t>(std::min<int64_t>(offsets_[i + 1] - offsets_[i] - into, static_cast<int64_t>(out.size() - done)));
    shards_->read(spans_[i].start + into, out.subspan(done, n));
    done += n;
  }
}

Split split_tokens(std::shared_ptr<const TokenShards> shards, int64_t val_tokens, int64_t context_size, SplitMode mode) {
  const int64_t documents = shards->document_count(), tokens = shards->size();
  std::vector<corpus::HoldoutDocument> sizes;
  if (mode == SplitMode::kWindow) sizes.push_back({0, static_cast<uint64_t>(tokens)});  // as if the corpus were one document
  for (int64_t i = 0; mode == SplitMode::kDocument && i < documents; ++i)
    sizes.push_back({shards->document_key(i), static_cast<uint64_t>(shards->document_end(i) - shards->document_start(i))});
  const auto plan = corpus::plan_holdout(sizes, static_cast<uint64_t>(val_tokens), static_cast<uint64_t>(context_size));
  std::vector<Span> train, validation;
  int64_t at = 0;
  for (const auto& range : plan.ranges) {
    validation.push_back({static_cast<int64_t>(range.begin), static_cast<int64_t>(range.end)});
    train.push_back({at, static_cast<int64_t>(range.gap_begin)});
    at = static_cast<int64_t>(range.gap_end);
  }
  train.push_back({at, tokens});
  train = merged(std::move(train));
  validation = merged(std::move(validation));
  if (total(train) < context_size + 1 || total(validation) < context_size + 1)
    throw base::bad_input({.what = "the corpus is too small for this context",
                           .expected = base::cat("room for a training and a held-out window of ", context_size + 1, " tokens each"),
                           .found = base::cat(tokens, " tokens in ", documents, " documents"),
                           .remedy = "add text to the corpus, or use a smaller --context-size"});
  return {TokenStream(shards, std::move(train)), TokenStream(shards, std::move(validation)), plan.by_document ? "document" : "blocks",
          static_cast<int64_t>(plan.documents.size())};
}

base::Json split_json(const Split& split) {
  return {{"method", split.method}, {"train_tokens", split.train.size()}, {"validation_tokens", split.validation.size()},
          {"validation_documents", split.validation_documents}};
}

}  // namespace picochat::train
