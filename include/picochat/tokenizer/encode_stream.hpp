// A stream of documents to a stream of ids, in order, with all cores and bounded memory: what token
// shards and `tok encode` are made by.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::tokenizer {

// Some documents that follow each other.
struct EncodedBatch {
  std::vector<TokenId> ids;      // <bos> text <eos> of each, one after another
  std::vector<size_t> ends;      // in `ids`, of each document
  std::vector<uint64_t> tags;    // of each
  uint64_t text_bytes = 0;
};

// Fills `text` with the next document's and, if it likes, `tag`, empty so far; false at the end. Called from
// one thread at a time.
using TaggedStream = std::function<bool(std::string& text, std::optional<uint64_t>& tag)>;

struct EncodeStream {
  int threads = 0;                                        // 0: all cores; never changes what comes out
  std::function<uint64_t(std::string_view text)> tag_of;  // of documents without one; called by all threads
};

// Calls consume(batch) with every batch in order, from one thread at a time. Each thread holds one batch
// of about 1 MiB of text or one longer document.
void encode_stream(const Tokenizer& tokenizer, const TaggedStream& documents, const std::function<void(const EncodedBatch&)>& consume,
                   const EncodeStream& options = {});

}  // namespace picochat::tokenizer
