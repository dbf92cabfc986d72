#include "tokenizer/words.hpp"

#include <mutex>

#include "picochat/base/error.hpp"
#include "picochat/base/threads.hpp"

namespace picochat::tokenizer {
namespace {

constexpr size_t kGroup = 1 << 18;  // symbols

}  // namespace

Words::Words(const PieceCounts& counts, const Model& model) {
  std::array<TokenId, 256> byte_ids{};
  for (TokenId id = kSpecialTokens; id < kMinimumVocab; ++id) byte_ids[static_cast<uint8_t>(model.tokens[id][0])] = id;
  size_t room = 0;
  for (const auto& part : counts.parts())
    part.for_each([&](std::string_view piece, uint64_t) { room += piece.size() > 1 ? piece.size() + kHeader : 0; });
  base::require(room < kNone, "the distinct pieces fit 32-bit places");
  data_.reserve(room);
  for (const auto& part : counts.parts())
    part.for_each([&](std::string_view piece, uint64_t count) { if (piece.size() > 1) add(piece, count, byte_ids); });
}

void Words::add(std::string_view piece, uint64_t count, const std::array<TokenId, 256>& byte_ids) {
  if (groups_.empty() || data_.size() - groups_.back() >= kGroup) groups_.push_back(data_.size());
  uint32_t length = static_cast<uint32_t>(piece.size());
  for (uint32_t value : {static_cast<uint32_t>(count), static_cast<uint32_t>(count >> 32), length, length}) data_.push_back(value);
  for (char byte : piece) data_.push_back(byte_ids[static_cast<uint8_t>(byte)]);
}

PairCounts Words::count_pairs(int threads) const {
  // Sums are the same in any order, so whichever thread gets a group does not matter.
  PairCounts total;
  bool first = true;
  std::mutex mutex;
  const size_t workers = static_cast<size_t>(threads > 0 ? threads : base::available_cores());
  base::parallel_for(std::min(workers, groups_.size()), [&](size_t worker) {
    PairCounts counts(1 << 16);
    for (size_t group = worker; group < groups(); group += workers) {
      for_each_pair(group, [&](uint64_t pair) { counts.prefetch(pair); },
                    [&](size_t word, uint64_t pair) {
                      PairCount& sum = counts[pair];
                      sum.count += static_cast<int64_t>(count(word));
                      ++sum.places;
                    });
    }
    std::lock_guard lock(mutex);
    if (first) {
      total = std::move(counts);
      first = false;
      return;
    }
    for (const auto& slot : counts.slots()) {
      if (!slot.pair) continue;
      PairCount& sum = total[slot.pair];
      sum.count += slot.value.count;
      sum.places += slot.value.places;
    }
  }, threads);
  return total;
}

}  // namespace picochat::tokenizer
