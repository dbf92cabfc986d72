#include "tokenizer/words.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <mutex>
#include <optional>

#include "picochat/base/error.hpp"
#include "picochat/base/threads.hpp"

namespace picochat::tokenizer {
namespace {

constexpr size_t kGroup = 1 << 18;  // symbols
constexpr size_t kFewestSums = 1 << 12, kMostSums = 1 << 20;

// One `Part` of each thread, filled by add(part, group) and put together by join(total, part). Sums are the
// same in any order, so whichever thread gets a group does not matter.
template <typename Part>
Part sum_over_groups(size_t groups, int threads, const Part& empty, const std::function<void(Part&, size_t)>& add, const std::function<void(Part&, const Part&)>& join) {
  const size_t workers = std::clamp<size_t>(groups, 1, static_cast<size_t>(threads > 0 ? threads : base::available_cores()));
  std::optional<Part> total;
  std::mutex mutex;
  base::parallel_for(workers, [&](size_t worker) {
    Part part = empty;
    for (size_t group = worker; group < groups; group += workers) add(part, group);
    std::lock_guard lock(mutex);
    if (total) join(*total, part);
    else total = std::move(part);
  }, threads);
  return std::move(*total);
}

}  // namespace

Words::Words(PieceCounts counts, const Model& model) {
  std::array<TokenId, 256> byte_ids{};
  for (TokenId id = kSpecialTokens; id < kMinimumVocab; ++id) byte_ids[static_cast<uint8_t>(model.tokens[id][0])] = id;
  size_t room = 0;
  for (const auto& part : counts.parts())
    part.for_each([&](std::string_view piece, uint64_t) { room += piece.size() > 1 ? piece.size() + kHeader : 0; });
  base::require(room < kNone, "the distinct pieces fit 32-bit places");
  data_.reserve(room);
  for (auto& part : counts.parts()) {
    part.for_each([&](std::string_view piece, uint64_t count) { if (piece.size() > 1) add(piece, count, byte_ids); });
    part = {};
  }
}

void Words::add(std::string_view piece, uint64_t count, const std::array<TokenId, 256>& byte_ids) {
  if (groups_.empty() || data_.size() - groups_.back() >= kGroup) groups_.push_back(data_.size());
  uint32_t length = static_cast<uint32_t>(piece.size());
  for (uint32_t value : {static_cast<uint32_t>(count), static_cast<uint32_t>(count >> 32), length, length}) data_.push_back(value);
  for (char byte : piece) data_.push_back(byte_ids[static_cast<uint8_t>(byte)]);
}

PairBounds Words::bound_pairs(int threads) const {
  const PairBounds none(std::clamp(std::bit_ceil(data_.size()), kFewestSums, kMostSums));
  return sum_over_groups<PairBounds>(groups(), threads, none, [&](PairBounds& bounds, size_t group) {
    for_each_pair(group, [&](uint64_t pair) { bounds.prefetch(pair); },
                  [&](size_t word, uint64_t pair) { bounds.add(pair, static_cast<int64_t>(count(word))); });
  }, [](PairBounds& total, const PairBounds& part) { total.add(part); });
}

PairCounts Words::count_pairs(const PairBounds& bounds, int64_t least, int threads) const {
  return sum_over_groups<PairCounts>(groups(), threads, PairCounts(), [&](PairCounts& counts, size_t group) {
    for_each_pair(group, [&](uint64_t pair) { bounds.prefetch(pair); }, [&](size_t word, uint64_t pair) {
      if (bounds.of(pair) < least) return;
      PairCount& sum = counts[pair];
      sum.count += static_cast<int64_t>(count(word));
      ++sum.places;
    });
  }, [](PairCounts& total, const PairCounts& part) {
    for (const auto& slot : part.slots()) {
      if (!slot.pair) continue;
      PairCount& sum = total[slot.pair];
      sum.count += slot.value.count;
      sum.places += slot.value.places;
    }
  });
}

}  // namespace picochat::tokenizer
