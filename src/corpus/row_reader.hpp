// The rows of a chunk: what is a document, and what is left out and why.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "corpus/chunk_reader.hpp"

namespace picochat::corpus {

struct Row {
  std::string_view text;   // valid until the next row
  std::string_view id;     // empty: none given
  int64_t line = 1;
  const char* skipped = nullptr;  // reason when the row is no document
  bool repaired = false;           // held bytes that are not UTF-8, or half a surrogate pair
  std::string detail;             // with missing_text_column: the keys there are
};

class RowReader {
 public:
  RowReader();
  ~RowReader();
  RowReader(RowReader&&) noexcept;
  // Starts on a chunk, which must stay alive and in place.
  void start(const Chunk& chunk);
  bool next(Row& row);

 private:
  struct Parser;
  void parse(size_t begin, size_t end, Row& row);
  const Chunk* chunk_ = nullptr;
  size_t at_ = 0;
  int64_t line_ = 1;
  std::unique_ptr<Parser> parser_;
};

// The id of a document whose row gives none.
std::string default_id(const Chunk& chunk, const Row& row);

}  // namespace picochat::corpus
