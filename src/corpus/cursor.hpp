// The document stream, pulled one document at a time.
#pragma once

#include <optional>

#include "corpus/chunk_reader.hpp"
#include "corpus/row_reader.hpp"
#include "corpus/selection.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/corpus/quality.hpp"

namespace picochat::corpus {

class DocumentCursor {
 public:
  DocumentCursor(Corpus corpus, const ReadLimits& limits);
  DocumentCursor(const DocumentCursor&) = delete;  // the reader points into corpus_
  DocumentCursor& operator=(const DocumentCursor&) = delete;
  bool next(Document& document);
  const ReadTally& tally() const { return tally_; }
  size_t source() const { return source_; }  // of the last document

 private:
  bool next_file();
  bool next_chunk();
  void start_pass();
  void skip(const std::string& reason);
  enum class Verdict { kEmit, kSkip, kSourceEnds };
  Verdict judge(const Row& row);

  Corpus corpus_;
  ReadLimits limits_;
  ReadTally tally_;
  // Position: source, pass over it, file within it, chunk, row.
  size_t source_ = 0, file_ = 0;
  int64_t pass_ = 0;
  std::optional<Quota> quota_;
  std::optional<ChunkReader> reader_;
  Chunk chunk_;
  bool chunk_open_ = false;
  RowReader rows_;
  DocumentProfiler profiler_;
};

}  // namespace picochat::corpus
