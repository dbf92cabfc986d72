// The rows of a decoder, with what each holds: which row a new request takes, and how much of its prompt is there already.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "picochat/model/decoder.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::serve {

class RowCache {
 public:
  explicit RowCache(model::Decoder& decoder);

  struct Place {
    int64_t row;
    size_t reused;  // tokens of the prompt that the row holds
  };
  // A free row that holds as much of `prompt` as any row does, all but its last token at most: that one must run to be
  // answered. Nothing when no row is free. With `fresh` nothing is reused.
  std::optional<Place> take(std::span<const tokenizer::TokenId> prompt, bool fresh);
  void ran(int64_t row, std::span<const tokenizer::TokenId> tokens);  // they were appended
  void clear(int64_t row);
  void release(int64_t row);  // keeps its tokens

 private:
  struct Row {
    std::vector<tokenizer::TokenId> tokens;
    bool used = false;
    uint64_t released = 0;  // when, in releases; the longest unused row is given away first
  };
  size_t shared_with(const Row& row, std::span<const tokenizer::TokenId> prompt) const;

  model::Decoder& decoder_;
  std::vector<Row> rows_;
  uint64_t releases_ = 0;
};

}  // namespace picochat::serve
