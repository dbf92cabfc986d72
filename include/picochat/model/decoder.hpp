// Autoregressive decoding with a key-value cache that is allocated once. Rows are independent
// sequences of different lengths; one call advances any subset of them together.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <ATen/core/Tensor.h>

#include "picochat/model/batch.hpp"
#include "picochat/model/config.hpp"
#include "picochat/model/transformer.hpp"

namespace picochat::model {

class Decoder {
 public:
  struct Append {
    int64_t row;
    std::span<const TokenId> tokens;  // at least one
  };
  enum class Logits { kLastToken, kAllTokens };

  // `parameters` (flat, on the device of the options) is kept and must not change while the decoder is used.
  // max_length may not exceed the config's context_size.
  Decoder(const Config& config, at::Tensor parameters, int64_t max_rows, int64_t max_length, const TransformerOptions& options = {});
  ~Decoder();
  Decoder(Decoder&&) noexcept;

  int64_t max_rows() const;
  int64_t max_length() const;
  int64_t vocab_size() const;
  void reset(int64_t row);            // forget the row's tokens
  int64_t length(int64_t row) const;  // tokens in the cache

  // Drops the row's tokens from position `length` on; what precedes them stays usable, so that
  // several continuations of one prompt can be tried.
  void truncate(int64_t row, int64_t length);
  // Makes `to` hold what `from` holds.
  void copy_row(int64_t from, int64_t to);

  // Runs the new tokens of several different rows at once and caches them. logits receives, item after item,
  // vocab_size values for the item's last token (or for each of its tokens). A row's logits do not depend on
  // which other rows are in the call.
  void append(std::span<const Append> items, float* logits, Logits which = Logits::kLastToken);

  // What append() of the items' tokens one after the other gives, to the last bit: the logits of every token. One pass over the
  // matrices serves all of them.
  void append_each(std::span<const Append> items, float* logits);

  // Whether draft() is faster than append() where the matrices do not fit a cache.
  bool can_draft() const;
  // append() of one token each by a copy of the matrices rounded to 8 bits, which the first call makes. Tokens can be guessed so
  // and then checked together by append_each(). The cache holds approximations then: truncate() them first.
  void draft(std::span<const Append> items, float* logits);
  // Of the matrices that a step reads.
  int64_t matrix_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace picochat::model
