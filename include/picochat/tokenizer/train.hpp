// Training a tokenizer from a stream of documents.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "picochat/base/digest.hpp"
#include "picochat/base/options.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::tokenizer {

struct TrainOptions {
  std::string type = "bpe";   // "bpe" (alias "hf_bpe"), "char", "byte", "sentencepiece"
  int64_t vocab_size = 512;   // special tokens included; an upper bound. byte: ignored, always 264
  int64_t min_freq = 1;       // bpe: a pair, char: a code point, seen less often is not learned; else ignored
  std::string pretokenizer = "regex";  // bpe: "regex", or "char": a whole document is one piece
  std::string sentencepiece_model = "bpe";  // sentencepiece: "bpe" or "unigram"
  int threads = 0;            // 0: all cores; never changes the result
  // Distinct pieces held while counting. Past it the rarest are dropped at fixed places of the stream
  // (docs/formats/tokenizer.md), so the result still does not depend on threads.
  int64_t max_distinct_pieces = 16'000'000;
  std::function<void(int64_t merges, int64_t most)> merge_progress;  // bpe: called now and then while merging
};
// Fills `text` with the next document; false at the end. Called from one thread at a time.
using DocumentStream = std::function<bool(std::string& text)>;

// A sample of documents whose bytes add up to at most `budget`: those of smallest keyed hash, so it does
// not depend on their order; all of them when they fit. open() starts the stream anew: it is read once
// before this returns, and once by whoever takes the sample. Usage error when not one document fits.
struct DocumentSample {
  DocumentStream documents;
  uint64_t documents_in_all = 0, bytes_in_all = 0;
};
DocumentSample sample_documents(const std::function<DocumentStream()>& open, uint64_t budget);

// sentencepiece holds its text in memory and takes minutes for 50 MB, so it learns from a sample of this
// size unless told otherwise; the others read everything.
inline constexpr int64_t kSentencePieceSampleBytes = 50'000'000;

struct TrainStatistics {
  uint64_t documents = 0, bytes = 0, pieces = 0, distinct_pieces = 0, dropped_pieces = 0, piece_table_bytes = 0;
  int64_t merges = 0;
  double count_seconds = 0, merge_seconds = 0;
};

// BadInput when there is no text, or when vocab_size cannot hold the 8 special tokens and 256 bytes.
std::unique_ptr<Tokenizer> train_tokenizer(const TrainOptions& options, const DocumentStream& documents,
                                           TrainStatistics* statistics = nullptr);

}  // namespace picochat::tokenizer
