// Which part of a corpus is held out for validation. With enough documents: those of smallest key,
// until the wanted number of tokens is reached. With few or huge documents: contiguous blocks spread
// over the corpus, each fenced by a gap that neither side uses, so that no training window reaches
// into a validation window.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace picochat::corpus {

inline constexpr size_t kMinHoldoutDocuments = 20;
inline constexpr double kMaxHoldoutFraction = 0.1;  // of all tokens, however many are asked for

struct HoldoutDocument {
  uint64_t key = 0;     // document_key()
  uint64_t tokens = 0;
};

// Positions are tokens in the stream of all documents in corpus order. The validation range is
// [begin, end); training leaves out [gap_begin, gap_end), which contains it.
struct HoldoutRange {
  uint64_t begin = 0, end = 0, gap_begin = 0, gap_end = 0;
  friend bool operator==(const HoldoutRange&, const HoldoutRange&) = default;
};

struct HoldoutPlan {
  bool by_document = false;
  uint64_t tokens = 0;               // held out in all
  uint64_t lost_tokens = 0;          // in gaps: used by neither side
  std::vector<size_t> documents;     // by_document: indices, ascending
  std::vector<HoldoutRange> ranges;  // ascending, disjoint with their gaps; also set when by_document
};

// val_tokens: wanted size. context: gap on either side of a block. The plan is a pure function of its
// arguments. An empty corpus, or one too small for a block and its gaps, gives an empty plan.
HoldoutPlan plan_holdout(std::span<const HoldoutDocument> documents, uint64_t val_tokens, uint64_t context);

}  // namespace picochat::corpus
