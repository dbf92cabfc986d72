// The rows of a chunk: what is a document, and what is left out and why.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/chunk_reader.hpp"

namespace picochat::corpus {

struct Row {
  std::string_view text;   // valid until the next row
  std::string_view id;     // empty: none given
  int64_t line = 1;        // where it begins; of Parquet its number, from 1
  const char* skipped = nullptr;  // reason when the row is no document
  bool repaired = false;           // held bytes that are not UTF-8, or half a surrogate pair
  std::string detail;             // with missing_text_column: the keys there are
};

class RowReader {
 public:
  // `extra`: further columns to give as JSON.
  explicit RowReader(std::vector<std::string> extra = {});
  ~RowReader();
  RowReader(RowReader&&) noexcept;
  // Starts on a chunk, which must stay alive and in place.
  void start(const Chunk& chunk);
  bool next(Row& row);
  // JSON of the extra columns of the last row, in their order; "null" when absent.
  const std::vector<std::string>& extra() const { return extra_values_; }

 private:
  struct Parser;
  void next_decoded(Row& row);
  void parse_json(size_t begin, size_t end, Row& row);
  void parse_csv(size_t begin, size_t end, Row& row);
  std::vector<std::string> extra_, extra_values_;
  const Chunk* chunk_ = nullptr;
  size_t at_ = 0;  // byte, or index of a decoded row
  int64_t line_ = 1;
  std::unique_ptr<Parser> parser_;
};

// The id of a document whose row gives none.
std::string default_id(const Chunk& chunk, const Row& row);

}  // namespace picochat::corpus
