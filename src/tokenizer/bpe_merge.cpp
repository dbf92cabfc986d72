#include "tokenizer/bpe_merge.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include "picochat/base/error.hpp"

namespace picochat::tokenizer {
namespace {

// Up to here looking at all ranks for the lowest beats a queue.
constexpr size_t kShort = 64;
constexpr int kPositionBits = 6;
static_assert(kShort == 1 << kPositionBits && PairTable::kRankBits + kPositionBits < 31);

constexpr uint32_t kNone = 0xFFFFFFFF;
constexpr int32_t kDead = std::numeric_limits<int32_t>::max();

// Four at once; GCC and Clang turn this into the vector instructions of the machine at hand.
using Four = int32_t __attribute__((vector_size(16)));

int32_t lowest_of(const Four* keys, size_t fours) {
  Four low = keys[0];
  for (size_t i = 1; i < fours; ++i) low = keys[i] < low ? keys[i] : low;
  return std::min(std::min(low[0], low[1]), std::min(low[2], low[3]));
}

uint64_t entry(uint32_t rank, uint32_t position) { return uint64_t{rank} << 32 | position; }

}  // namespace

void MergeScratch::merge(const PairTable& pairs, std::string_view piece, std::vector<TokenId>& ids) {
  if (ids.size() < 2) return;
  if (ids.size() <= kShort) merge_short(pairs, piece, ids);
  else merge_long(pairs, piece, ids);
}

// keys[i] is rank and position of the pair that begins at symbol i, so the least key is the lowest
// rank, leftmost. Symbols keep their places and are linked; what merged away has a dead key.
void MergeScratch::merge_short(const PairTable& pairs, std::string_view piece, std::vector<TokenId>& ids) {
  Four keys[kShort / 4];
  auto* key = reinterpret_cast<int32_t*>(keys);
  uint8_t previous[kShort + 1], next[kShort + 1];
  TokenId* id = ids.data();
  const size_t count = ids.size(), fours = (count + 3) / 4;
  auto byte_rank = [&](size_t i) { return pairs.byte_rank(static_cast<uint8_t>(piece[i]), static_cast<uint8_t>(piece[i + 1])); };
  auto set_key = [&](size_t i, uint32_t rank) { key[i] = rank == kNoMerge ? kDead : static_cast<int32_t>(rank << kPositionBits | i); };
  auto look_up = [&](size_t i) { set_key(i, next[i] == count ? kNoMerge : pairs.rank(id[i], id[next[i]])); };
  for (size_t i = 0; i < count; ++i) {
    previous[i] = static_cast<uint8_t>(i - 1);
    next[i] = static_cast<uint8_t>(i + 1);
    set_key(i, i + 1 == count ? kNoMerge : byte_rank(i));
  }
  for (size_t i = count; i < fours * 4; ++i) key[i] = kDead;
  for (int32_t low; (low = lowest_of(keys, fours)) != kDead;) {
    const size_t at = static_cast<size_t>(low) & (kShort - 1), gone = next[at];
    id[at] = pairs.result(static_cast<uint32_t>(low) >> kPositionBits);
    key[gone] = kDead;
    next[at] = next[gone];
    previous[next[at]] = static_cast<uint8_t>(at);
    look_up(at);
    if (at > 0) look_up(previous[at]);
  }
  size_t kept = 0;
  for (size_t i = 0; i < count; i = next[i]) id[kept++] = id[i];
  ids.resize(kept);
}

// A linked list of symbols and a queue of (rank, position). An entry is stale when the pair that now
// begins at its position has another rank. O(n log n) with every step cheap, whatever the text.
void MergeScratch::merge_long(const PairTable& pairs, std::string_view piece, std::vector<TokenId>& ids) {
  const size_t count = ids.size();
  base::require(count < kNone, "a piece is shorter than 4 GiB");
  rank_.resize(count), previous_.resize(count), next_.resize(count);
  queue_.clear();
  for (uint32_t i = 0; i < count; ++i) {
    previous_[i] = i - 1;  // kNone for the first
    next_[i] = i + 1 < count ? i + 1 : kNone;
    rank_[i] = i + 1 < count ? pairs.byte_rank(static_cast<uint8_t>(piece[i]), static_cast<uint8_t>(piece[i + 1])) : kNoMerge;
    if (rank_[i] != kNoMerge) queue_.push_back(entry(rank_[i], i));
  }
  auto later = std::greater<uint64_t>();
  std::make_heap(queue_.begin(), queue_.end(), later);
  auto renew = [&](uint32_t i) {
    uint32_t rank = next_[i] == kNone ? kNoMerge : pairs.rank(ids[i], ids[next_[i]]);
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
    ids[at] = pairs.result(rank);
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
