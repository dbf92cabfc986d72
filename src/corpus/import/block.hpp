// A run of rows, filtered and written as they will stand in a shard. Workers make blocks; whoever puts
// them in order decides which rows count and copies bytes, nothing more.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "corpus/import/plan.hpp"
#include "corpus/import/state.hpp"
#include "picochat/corpus/dedup.hpp"
#include "picochat/corpus/quality.hpp"
#include "picochat/corpus/row_file.hpp"

namespace picochat::corpus::import {

// Bytes that grow without being zeroed first.
class ByteBuffer {
 public:
  size_t size() const { return size_; }
  const char* data() const { return bytes_.get(); }
  std::string_view view(size_t first, size_t end) const { return {bytes_.get() + first, end - first}; }
  void clear() { size_ = 0; }
  // Room for `more` bytes at the end, to be claimed by grow_to().
  char* reserve(size_t more) {
    if (size_ + more > capacity_) grow(size_ + more);
    return bytes_.get() + size_;
  }
  void grow_to(const char* end) { size_ = static_cast<size_t>(end - bytes_.get()); }
  void append(std::string_view text) {
    std::memcpy(reserve(text.size()), text.data(), text.size());
    size_ += text.size();
  }

 private:
  void grow(size_t least);
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<char[], Free> bytes_;
  size_t size_ = 0, capacity_ = 0;
};

struct RowNote {
  size_t line_end = 0, text_end = 0;  // in Block::lines and Block::texts; where the row before ends is its start
  const char* skipped = nullptr;
  uint64_t hash = 0;
  int64_t characters = 0;
  uint32_t lines = 0;
  uint16_t language = 0;              // index into Block::languages
  bool repaired = false, with_nul = false;
};

struct Block {
  Position first;                      // of its first row
  std::vector<RowNote> rows;
  ByteBuffer lines;                    // JSON lines
  ByteBuffer texts;                    // for corpus.txt: a blank line before each text
  std::vector<std::string> languages;  // [0]: unknown
  std::vector<std::string> previews;   // of the rows, when asked for
  std::vector<DocumentSketch> sketches;  // of the rows that were written, when near duplicates are looked for
  size_t bytes() const { return lines.size() + texts.size() + rows.size() * sizeof(RowNote) + sketches.size() * sizeof(DocumentSketch); }
  void clear();
};

inline constexpr size_t kBlockBytes = 1 << 20;  // of text, or one row
inline constexpr size_t kBlockRows = 8192;

// What a row must have, compiled once.
struct RowRules {
  explicit RowRules(const Plan& plan);
  int64_t min_chars = 1, min_score = 0;
  bool hash = false, sketch = false;
  bool has_language = false;           // the first extra column
  std::optional<std::regex> language;
};

// Fills blocks from the rows of one part.
class BlockBuilder {
 public:
  BlockBuilder(const RowRules& rules, std::string file_name) : rules_(rules), file_(std::move(file_name)) {}
  void begin(Block& block, Position first, bool previews);
  void add(const FileRow& row);
  bool full() const { return block_->texts.size() >= kBlockBytes || block_->rows.size() >= kBlockRows; }

 private:
  const char* judge(const FileRow& row, std::string_view text, RowNote& note);
  uint16_t language_of(const FileRow& row, bool& wanted);
  void write(const FileRow& row, std::string_view text, RowNote& note);

  const RowRules& rules_;
  std::string file_;
  Block* block_ = nullptr;
  bool previews_ = false;
  DocumentProfiler profiler_;
  Sketcher sketcher_;
  std::string normalized_;
  std::unordered_map<std::string, std::pair<uint16_t, bool>> known_languages_;  // by JSON text: index in this block, wanted
  std::unordered_map<std::string, bool> judged_languages_;
};

// White space at the ends, as Python's str.strip() sees it.
std::string_view strip(std::string_view text);

// The start of a text on one line.
std::string preview_of(std::string_view text);

}  // namespace picochat::corpus::import
