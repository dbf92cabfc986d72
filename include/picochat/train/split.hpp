// Which tokens train and which are held out. A TokenStream is an ordered list of spans of the
// shards, read as if it were one sequence.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/train/token_shards.hpp"

namespace picochat::train {

struct Span {
  int64_t start, end;  // global token positions
};

class TokenStream {
 public:
  TokenStream(std::shared_ptr<const TokenShards> shards, std::vector<Span> spans);
  int64_t size() const { return offsets_.back(); }
  void read(int64_t start, std::span<int32_t> out) const;
  const std::vector<Span>& spans() const { return spans_; }

 private:
  std::shared_ptr<const TokenShards> shards_;
  std::vector<Span> spans_;
  std::vector<int64_t> offsets_;  // offsets_[i]: stream position of spans_[i]; one more at the end
};

struct Split {
  TokenStream train, validation;
  std::string method;  // "document" or "blocks"
  int64_t validation_documents = 0;
};

enum class SplitMode { kDocument, kWindow };

// The held-out part is chosen by corpus::plan_holdout: whole documents of smallest key, or fenced
// blocks where there are few documents or the mode is kWindow. BadInput when a side would hold less
// than one window of context_size + 1 tokens.
Split split_tokens(std::shared_ptr<const TokenShards> shards, int64_t val_tokens, int64_t context_size, SplitMode mode = SplitMode::kDocument);

base::Json split_json(const Split& split);

}  // namespace picochat::train
