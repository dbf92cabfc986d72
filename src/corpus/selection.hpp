// Which documents of a source are used, and how often: weight, max_documents, max_bytes, min_score.
// The reader and the scan share these rules, so what is measured is what is read.
#pragma once

#include <cmath>
#include <cstdint>

#include "picochat/base/digest.hpp"
#include "picochat/corpus/pack.hpp"

namespace picochat::corpus {

// How often a document of this hash appears under a weight: its whole part, and once more for the
// share of documents that the fraction names. By hash, so a document's fate does not depend on its
// neighbours.
inline int64_t copies_under(double weight, uint64_t normalized_hash) {
  const double whole = std::floor(weight), fraction = weight - whole;
  if (fraction == 0) return static_cast<int64_t>(whole);
  const char bytes[8] = {static_cast<char>(normalized_hash),       static_cast<char>(normalized_hash >> 8),
                         static_cast<char>(normalized_hash >> 16), static_cast<char>(normalized_hash >> 24),
                         static_cast<char>(normalized_hash >> 32), static_cast<char>(normalized_hash >> 40),
                         static_cast<char>(normalized_hash >> 48), static_cast<char>(normalized_hash >> 56)};
  constexpr uint64_t kWeightSeed = 0x7765696768740000;  // apart from the keys of the held-out split
  const double uniform = static_cast<double>(base::hash64({bytes, 8}, kWeightSeed) >> 11) * 0x1p-53;
  return static_cast<int64_t>(whole) + (uniform < fraction);
}

inline bool weight_needs_hash(const RecipeSource& source) { return source.weight != std::floor(source.weight); }
inline int64_t passes_over(const RecipeSource& source) { return static_cast<int64_t>(std::ceil(source.weight)); }
inline bool has_limits(const RecipeSource& source) { return source.max_documents || source.max_bytes; }

// The caps of a source, counted over documents that its weight keeps.
class Quota {
 public:
  explicit Quota(const RecipeSource& source) : max_documents_(source.max_documents), max_bytes_(source.max_bytes) {}
  // False when the document would exceed a cap: the source ends before it.
  bool admit(size_t bytes) {
    if (max_documents_ && documents_ + 1 > *max_documents_) return false;
    if (max_bytes_ && bytes_ + bytes > static_cast<uint64_t>(*max_bytes_)) return false;
    ++documents_, bytes_ += bytes;
    return true;
  }
  // Whether `documents` of `bytes` in all fit, so that a whole chunk can be taken at once.
  bool fits(int64_t documents, uint64_t bytes) const {
    return !(max_documents_ && documents_ + documents > *max_documents_) && !(max_bytes_ && bytes_ + bytes > static_cast<uint64_t>(*max_bytes_));
  }
  void take(int64_t documents, uint64_t bytes) { documents_ += documents, bytes_ += bytes; }

 private:
  std::optional<int64_t> max_documents_, max_bytes_;
  int64_t documents_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace picochat::corpus
