// A stream of documents to a stream of ids, in order, with all cores and bounded memory: what token
// shards and `tok encode` are made by.
#pragma once

#include <functional>
#include <vector>

#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::tokenizer {

// Some documents that follow each other.
struct EncodedBatch {
  std::vector<TokenId> ids;      // <bos> text <eos> of each, one after another
  std::vector<size_t> ends;      // in `ids`, of each document
  std::vector<uint64_t> tags;    // what the stream said about each
  uint64_t text_bytes = 0;
};

// Fills text and tag with the next document's; false at the end. Called from one thread at a time.
using TaggedStream = std::function<bool(std::string& text, uint64_t& tag)>;

// Calls consume(batch) with every batch in order, from one thread at a time, whatever the number of
// threads (0: all cores). Each thread holds one batch of about 1 MiB of text or one longer document.
void encode_stream(const Tokenizer& tokenizer, const TaggedStream& documents, const std::function<void(const EncodedBatch&)>& consume,
                   int threads = 0);

}  // namespace picochat::tokenizer
