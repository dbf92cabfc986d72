// The rows of one file, whatever its format: Parquet, JSON Lines, CSV, plain text (one row), the last
// three also in gzip or zstd. The text is one column of a row, other columns come along as JSON. A row
// that cannot be used is given with its reason, so that nothing disappears in silence.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/byte_source.hpp"
#include "picochat/corpus/file_format.hpp"

namespace picochat::corpus {

// A dotted name reaches into structs: "metadata.url". A column whose own name has the dots wins.
struct RowColumns {
  std::string text = "text";
  std::vector<std::string> extra;
};

struct Column {
  std::string name;      // dotted for members of structs
  std::string type;      // Arrow's name for it; "string" for CSV; of JSON Lines what the first row holds
  bool is_text = false;  // can be the text column
};

struct FileRow {
  std::string_view text;  // UTF-8; valid until the next row, like every view here
  std::string_view id;    // the row's own "id" (string or integer); empty when it has none
  int64_t index = 0;      // of the file, from 0: the order of rows, unusable ones included
  int64_t line = 0;       // 1-based line where the row begins; 0 in Parquet
  std::span<const std::string_view> extra;  // JSON, one for each of RowColumns::extra; "null" when absent
  const char* skipped = nullptr;            // why the row gives no text (see docs/formats/corpus.md), else null
  bool repaired = false;                    // held bytes that are not UTF-8: they became U+FFFD
};

// Returns false to stop.
using RowVisitor = std::function<bool(const FileRow&)>;

// A piece of the file that can be read by itself: a row group of Parquet, else the whole file.
struct FilePart {
  int64_t first_row = 0;
  int64_t rows = -1;    // -1: known when it has been read
  uint64_t bytes = 0;   // to be read for it, of the columns asked for
};

struct RowTally {
  int64_t rows = 0;                        // all that were visited
  std::map<std::string, int64_t> skipped;  // by reason; included in rows
};

// The rows of one part, pulled.
class PartReader {
 public:
  virtual ~PartReader() = default;
  // False at the end. Views in `row` are valid until the next call.
  virtual bool next(FileRow& row) = 0;
};

class RowFile {
 public:
  // Reads what says how the file is built: the footer of Parquet, the first rows of the others.
  // BadInput for a file that is not what its kind says, that is damaged, or that lacks the text column:
  // the error names the columns there are and their types. An extra column that is not there is
  // BadInput in Parquet and CSV (JSON Lines rows may differ: null).
  static std::unique_ptr<RowFile> open(std::shared_ptr<const base::ByteSource> source, const FileKind& kind,
                                       const RowColumns& columns);
  // The columns alone, without asking for any of them.
  static std::vector<Column> list_columns(const base::ByteSource& source, const FileKind& kind);

  virtual ~RowFile() = default;
  virtual const std::vector<Column>& columns() const = 0;
  virtual const std::vector<FilePart>& parts() const = 0;
  // Starts on a part; it must not outlive the file. Parts may be read from several threads at once.
  // Memory is bounded by the longest row and page, not by the size of the part. A part that turns out to
  // be damaged is BadInput, possibly after some of its rows.
  virtual std::unique_ptr<PartReader> open_part(size_t part) const = 0;
  // The same, pushed.
  RowTally read_part(size_t part, const RowVisitor& visit) const;
};

}  // namespace picochat::corpus
