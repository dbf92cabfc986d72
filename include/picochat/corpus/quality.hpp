// The quality score of one document, 0 to 100: a cheap smell test that finds extraction junk and
// boilerplate, not a judge of writing. The rules are listed in docs/formats/corpus.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picochat::corpus {

// Bits of DocumentProfile::flags, in the order in which they are listed.
enum QualityFlag : uint32_t {
  kShortDocument = 1 << 0,
  kSmallDocument = 1 << 1,
  kLongSingleLine = 1 << 2,
  kHighDuplicateLines = 1 << 3,
  kDuplicateLines = 1 << 4,
  kManyEmptyLines = 1 << 5,
  kHighNonAscii = 1 << 6,
  kNonAscii = 1 << 7,
  kExtractionNoise = 1 << 8,
};
std::vector<std::string> quality_flag_names(uint32_t flags);

// Everything that is measured of one document.
struct DocumentProfile {
  int64_t characters = 0, lines = 0, nonempty_lines = 0, duplicate_lines = 0, non_ascii = 0;
  bool noise = false;         // a control character other than \n \r \t, U+FFFD, or invalid UTF-8
  bool invalid_utf8 = false;
  bool blank = false;         // nothing but white space
  int score = 100;
  uint32_t flags = 0;
  uint64_t hash = 0;          // normalized_hash(text)
};

// Measures documents one after the other; keeps its scratch memory between calls.
class DocumentProfiler {
 public:
  // line_hashes, when given, gets a hash of every trimmed non-empty line appended.
  DocumentProfile profile(std::string_view text, std::vector<uint64_t>* line_hashes = nullptr);
  // append_normalized() of the last text.
  std::string_view normalized() const { return normalized_; }

 private:
  std::string normalized_;
  std::vector<uint64_t> lines_;
};

}  // namespace picochat::corpus
