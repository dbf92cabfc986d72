// What the fuzz targets of the readers share: rows of arbitrary bytes must be read the same whatever the
// size of the chunks, and the only way out besides success is an error of ours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "corpus/chunk_reader.hpp"
#include "corpus/row_reader.hpp"
#include "fuzz.hpp"
#include "picochat/base/byte_source.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::fuzz {

struct SeenRow {
  std::string text, id, skipped, extra;
  int64_t line = 0;
  friend bool operator==(const SeenRow&, const SeenRow&) = default;
};

// Reads `bytes` as a file of this name; false when it was refused.
inline bool read_rows(const std::string& bytes, const std::string& name, const corpus::ReadLimits& limits, std::vector<SeenRow>& rows) {
  const corpus::SourceFile file{.path = name, .name = name, .kind = corpus::file_kind(name)};
  const base::MemorySource source(name, bytes);
  try {
    corpus::ChunkReader chunks(file, limits, source.stream());
    corpus::RowReader reader({"n", "a.b"});
    std::string joined;
    for (corpus::Chunk chunk; chunks.next(chunk);) {
      joined += chunk.bytes();
      reader.start(chunk);
      for (corpus::Row row; reader.next(row);) {
        if (!row.skipped) check(base::is_valid_utf8(row.text), "text is UTF-8");
        rows.push_back({std::string(row.skipped ? "" : row.text), std::string(row.skipped ? "" : row.id), row.skipped ? row.skipped : "",
                        row.skipped ? "" : reader.extra()[0] + reader.extra()[1], row.line});
      }
    }
    if (chunks.reason().empty() && file.kind.compression == corpus::Compression::kNone) check(joined == bytes, "chunks join to the file");
    return true;
  } catch (const base::Error& error) {
    check(error.code() == base::ExitCode::kBadInput, "errors are about the input");
    return false;
  }
}

inline std::vector<SeenRow> check_rows(const std::string& bytes, const std::string& name) {
  std::vector<SeenRow> whole;
  const bool read = read_rows(bytes, name, {}, whole);
  for (const size_t size : {1, 13, 64}) {
    std::vector<SeenRow> pieces;
    check(read_rows(bytes, name, {.chunk_bytes = size}, pieces) == read, "chunk size decides about success");
    check(pieces == whole, "chunk size changes the rows");
  }
  std::vector<SeenRow> ignored;
  read_rows(bytes, name, {.chunk_bytes = 8, .max_row_bytes = 40}, ignored);  // rows that are too long
  return whole;
}

}  // namespace picochat::fuzz
