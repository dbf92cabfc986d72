// Exact and near duplicates among documents that come one after the other. Exact: equal normalised text.
// Near: the sets of 5-word shingles of two texts overlap (Jaccard index) by a threshold or more, judged by
// MinHash sketches; candidates come from locality-sensitive hashing over all documents before.
// A. Broder, "On the resemblance and containment of documents", 1997; P. Li, A. C. König, "b-bit minwise
// hashing", WWW 2010.
//
// Sketches are pure functions of the text and can be made by any number of threads. The indexes are asked
// in document order by one thread, so what is found does not depend on the threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace picochat::corpus {

inline constexpr double kNearDuplicateThreshold = 0.8;
inline constexpr int kShingleWords = 5;

// 40 of the 512 minima make the keys of 8 bands of 5: two texts of Jaccard index 0.85 share a band with
// probability 0.991, of 0.5 with 0.22. Four bits of each of the 512 minima estimate the index with a standard error of
// 0.018 at 0.8.
struct DocumentSketch {
  static constexpr int kHashes = 512, kBands = 8, kBandRows = 5;
  std::array<uint64_t, kBands> bands{};
  std::array<uint64_t, kHashes / 16> values{};
};

// Words are runs of the normalised text (see document.hpp) without spaces; characters of scripts that are
// written without spaces are words of their own. A text of fewer than five words is one shingle.
class Sketcher {
 public:
  DocumentSketch sketch(std::string_view text);
  DocumentSketch sketch_normalized(std::string_view normalized_text);

 private:
  std::string normalized_;
  std::vector<uint64_t> words_;
  std::vector<uint32_t> shingles_;
};

// The Jaccard index of the two texts, estimated; 1 for equal sketches.
double estimated_similarity(const DocumentSketch& a, const DocumentSketch& b);

struct Duplicate {
  int64_t document = 0;    // the earlier one, as numbered by the caller
  double similarity = 1;   // 1: exact
};

// Documents by normalized_hash(). 16 bytes and a table's slack for each.
class ExactIndex {
 public:
  ExactIndex();
  ~ExactIndex();
  // The first document of this hash; without one, `document` becomes it.
  std::optional<Duplicate> add(int64_t document, uint64_t normalized_hash);

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

class NearIndex {
 public:
  struct Options {
    double threshold = kNearDuplicateThreshold;
    // Sketches beyond this number are kept in an unnamed temporary file instead of memory (256 bytes each).
    size_t sketches_in_memory = size_t{1} << 20;
    // Per document in memory: about 90 bytes. Past this number documents are no longer looked at.
    size_t max_documents = size_t{8} << 20;
  };
  explicit NearIndex(const Options& options);
  NearIndex() : NearIndex(Options{}) {}
  ~NearIndex();
  NearIndex(NearIndex&&) noexcept;

  // The most similar of the documents added before, if it reaches the threshold. Without one, `document` is
  // added. So of a group of near copies the first stays, and every other is near a document that stays.
  std::optional<Duplicate> add(int64_t document, const DocumentSketch& sketch);

  int64_t checked() const;  // documents that were looked at
  bool full() const;        // some were not

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace picochat::corpus
