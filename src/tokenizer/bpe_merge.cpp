#include "tokenizer/bpe_merge.hpp"

#include <algorithm>
#include <functional>

#include "picochat/base/error.hpp"

namespace picochat::tokenizer {
namespace {

// Up to here looking for the lowest rank by scanning beats a queue.
constexpr size_t kShort = 48;
constexpr uint32_t kNone = 0xFFFFFFFF;

uint64_t entry(uint32_t rank, uint32_t position) { return uint64_t{rank} << 32 | position; }

}  // namespace

void MergeScratch::merge(const PairTable& pairs, std::vector<TokenId>& ids) {
  if (ids.size() < 2) return;
  if (ids.size() <= kShort) merge_short(pairs, ids);
  else merge_long(pairs, ids);
}

void MergeScratch::merge_short(const PairTable& pairs, std::vector<TokenId>& ids) {
  uint32_t rank[kShort];
  TokenId result[kShort];
  TokenId* id = ids.data();
  size_t count = ids.size();
  auto look_up = [&](size_t i) {
    const PairTable::Slot& slot = pairs.find(id[i], id[i + 1]);
    rank[i] = slot.rank;
    result[i] = slot.result;
  };
  for (size_t i = 0; i + 1 < count; ++i) look_up(i);
  for (;;) {
    uint32_t lowest = kNoMerge;
    size_t at = 0;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (rank[i] < lowest) lowest = rank[i], at = i;
    }
    if (lowest == kNoMerge) break;
    id[at] = result[at];
    --count;
    for (size_t i = at + 1; i < count; ++i) id[i] = id[i + 1];
    for (size_t i = at + 1; i + 1 < count; ++i) rank[i] = rank[i + 1], result[i] = result[i + 1];
    if (at > 0) look_up(at - 1);
    if (at + 1 < count) look_up(at);
  }
  ids.resize(count);
}

// A linked list of symbols and a queue of (rank, position). An entry is stale when the pair that now
// begins at its position has another rank. O(n log n) with every step cheap, whatever the text.
void MergeScratch::merge_long(const PairTable& pairs, std::vector<TokenId>& ids) {
  const size_t count = ids.size();
  base::require(count < kNone, "a piece is shorter than 4 GiB");
  rank_.resize(count), previous_.resize(count), next_.resize(count);
  queue_.clear();
  for (uint32_t i = 0; i < count; ++i) {
    previous_[i] = i - 1;  // kNone for the first
    next_[i] = i + 1 < count ? i + 1 : kNone;
    rank_[i] = i + 1 < count ? pairs.find(ids[i], ids[i + 1]).rank : kNoMerge;
    if (rank_[i] != kNoMerge) queue_.push_back(entry(rank_[i], i));
  }
  auto later = std::greater<uint64_t>();
  std::make_heap(queue_.begin(), queue_.end(), later);
  auto renew = [&](uint32_t i) {
    uint32_t rank = next_[i] == kNone ? kNoMerge : pairs.find(ids[i], ids[next_[i]]).rank;
    if (rank != rank_[i] && rank != kNoMerge) {
      queue_.push_back(entry(rank, i));
      std::push_heap(queue_.begin(), queue_.end(), later);
    }
    rank_[i] = rank;
  };
  while (!queue_.empty()) {
    std::pop_heap(queue_.begin(), queue_.end(), later);
    uint32_t rank = static_cast<uint32_t>(queue_.back() >> 32), at = static_cast<uint32_t>(queue_.back());
    queue_.pop_back();
    if (rank_[at] != rank) continue;
    uint32_t gone = next_[at];
    ids[at] = pairs.find(ids[at], ids[gone]).result;
    next_[at] = next_[gone];
    if (next_[at] != kNone) previous_[next_[at]] = at;
    rank_[gone] = kNoMerge;
    rank_[at] = kNoMerge;
    renew(at);
    if (previous_[at] != kNone) renew(previous_[at]);
  }
  size_t kept = 0;
  for (uint32_t i = 0; i != kNone; i = next_[i]) ids[kept++] = ids[i];  // i >= kept: nothing unread is overwritten
  ids.resize(kept);
}

}  // namespace picochat::tokenizer
