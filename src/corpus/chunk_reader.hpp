// A file as a series of chunks that can be worked on independently: whole rows of a file of rows, or one
// text document each. Of a file that is neither packed nor Parquet the bytes of all chunks, joined, are
// the bytes of the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/byte_source.hpp"
#include "picochat/corpus/corpus.hpp"

namespace picochat::corpus {

class PartReader;
class RowFile;

// simdjson reads this far past the end of a row.
inline constexpr size_t kPadding = 64;

// Bounds of memory. Tests make them small.
struct ReadLimits {
  size_t chunk_bytes = 2 << 20;         // of rows, when they are shorter than that
  size_t max_row_bytes = 256 << 20;     // longer rows are counted as row_too_long
  size_t max_document_bytes = 64 << 20; // longer text files are cut into parts
};

// A row that was decoded already (Parquet): where its text and id lie in the chunk's buffer.
struct DecodedRow {
  size_t text_begin = 0, text_end = 0, id_end = 0;  // the id follows the text
  int64_t index = 0;                                // of the file
  const char* skipped = nullptr;
  bool repaired = false;
};

struct Chunk {
  const SourceFile* file = nullptr;
  std::string buffer;      // size bytes, then at least kPadding more
  size_t size = 0;
  size_t head = 0;         // bytes before the first row: a byte order mark, the header of CSV
  int64_t first_line = 1;  // of the file, at `head`
  int64_t part = 0;        // 1, 2, ... for the parts of a long text file; 0: the whole file
  bool first = false, last = false;
  bool is_file_bytes = true;   // false: unpacked or decoded
  bool too_long = false;       // a piece of a row above max_row_bytes: to be digested, not parsed
  bool too_long_starts = false;
  std::shared_ptr<const std::vector<std::string>> csv_header;
  std::vector<DecodedRow> decoded;
  std::string_view bytes() const { return {buffer.data(), size}; }
};

// What the head of a file says about reading it as text: "" when it can be, else "binary" or "not_utf8".
std::string unreadable_reason(std::string_view head);

class ChunkReader {
 public:
  // From the file's path.
  ChunkReader(const SourceFile& file, const ReadLimits& limits);
  // From a stream of what the file holds, packed as the file's kind says; not for Parquet.
  ChunkReader(const SourceFile& file, const ReadLimits& limits, std::unique_ptr<base::ByteStream> stream);
  ~ChunkReader();

  // Why the file gives no chunks ("binary", "not_utf8", "empty_text", "missing_text_column",
  // "text_column_not_string"), or "".
  const std::string& reason() const { return reason_; }
  // With a reason about columns: the columns there are.
  const std::string& detail() const { return detail_; }
  const std::shared_ptr<const std::vector<std::string>>& csv_header() const { return csv_header_; }
  // False at the end. `chunk`'s buffer is reused.
  bool next(Chunk& chunk);

 private:
  void start(std::unique_ptr<base::ByteStream> stream);
  void start_csv();
  void start_parquet();
  bool fill(size_t wanted);  // reads until pending_ holds `wanted` bytes; false at the end of the file
  void take(Chunk& chunk, size_t size);
  size_t rows_end(size_t within);
  void count_lines(size_t size);
  bool next_rows(Chunk& chunk);
  bool next_text(Chunk& chunk);
  bool next_decoded(Chunk& chunk);

  const SourceFile& file_;
  ReadLimits limits_;
  std::unique_ptr<base::ByteStream> stream_;
  bool at_end_ = false, started_ = false, in_long_row_ = false;
  std::string pending_;
  size_t head_ = 0;
  int64_t line_ = 1, part_ = 0;
  std::shared_ptr<const std::vector<std::string>> csv_header_;
  std::unique_ptr<RowFile> rows_;  // Parquet
  std::unique_ptr<PartReader> part_reader_;
  size_t next_part_ = 0;
  std::string reason_, detail_;
};

}  // namespace picochat::corpus
