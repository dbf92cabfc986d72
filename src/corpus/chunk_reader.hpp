// A file as a series of chunks that can be worked on independently: whole lines of a JSON Lines file,
// or one text document each. The bytes of all chunks, joined, are the bytes of the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "picochat/corpus/corpus.hpp"

namespace picochat::corpus {

// simdjson reads this far past the end of a row.
inline constexpr size_t kPadding = 64;

// Bounds of memory. Tests make them small.
struct ReadLimits {
  size_t chunk_bytes = 2 << 20;         // of JSON Lines, when rows are shorter than that
  size_t max_row_bytes = 256 << 20;     // longer rows are counted as row_too_long
  size_t max_document_bytes = 64 << 20; // longer text files are cut into parts
};

struct Chunk {
  const SourceFile* file = nullptr;
  std::string buffer;      // size bytes, then at least kPadding more
  size_t size = 0;
  int64_t first_line = 1;  // of the file
  int64_t part = 0;        // 1, 2, ... for the parts of a long text file; 0: the whole file
  bool first = false, last = false;
  bool too_long = false;       // a piece of a row above max_row_bytes: to be digested, not parsed
  bool too_long_starts = false;
  std::string_view bytes() const { return {buffer.data(), size}; }
};

// What the head of a file says about reading it as text: "" when it can be, else "binary" or "not_utf8".
std::string unreadable_reason(std::string_view head);

class ChunkReader {
 public:
  ChunkReader(const SourceFile& file, const ReadLimits& limits);
  ~ChunkReader();

  // Why the file gives no chunks ("binary", "not_utf8", "empty_text"), or "".
  const std::string& reason() const { return reason_; }
  // False at the end. `chunk`'s buffer is reused.
  bool next(Chunk& chunk);

 private:
  bool fill(size_t wanted);  // reads until pending_ holds `wanted` bytes; false at the end of the file
  void take(Chunk& chunk, size_t size);
  bool next_lines(Chunk& chunk);
  bool next_text(Chunk& chunk);

  const SourceFile& file_;
  ReadLimits limits_;
  int descriptor_ = -1;
  bool at_end_ = false, started_ = false, in_long_row_ = false;
  std::string pending_;
  int64_t line_ = 1, part_ = 0;
  std::string reason_;
};

}  // namespace picochat::corpus
