#include "tokenizer/count.hpp"

#include <algorithm>
#include <functional>
#include <mutex>
#include <thread>

#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/threads.hpp"
#include "picochat/base/unicode.hpp"
#include "tokenizer/split.hpp"

namespace picochat::tokenizer {

void PieceTable::add_short(const PieceKey& key, uint64_t hash, uint64_t count) {
  size_t mask = short_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    Short& slot = short_[i];
    if (slot.key == key) {
      slot.count += count;
      return;
    }
    if (slot.count == 0) {
      slot = {key, count};
      if (++short_used_ * 2 > short_.size()) grow_short();
      return;
    }
  }
}

void PieceTable::add_long(std::string_view piece, uint64_t hash, uint64_t count) {
  size_t mask = long_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    Long& slot = long_[i];
    if (slot.count == 0) {
      slot = {hash, text_.size(), count, static_cast<uint32_t>(piece.size())};
      text_ += piece;
      if (++long_used_ * 2 > long_.size()) grow_long();
      return;
    }
    if (slot.hash == hash && std::string_view(text_).substr(slot.offset, slot.length) == piece) {
      slot.count += count;
      return;
    }
  }
}

void PieceTable::grow_short() {
  HugeVector<Short> old(short_.size() * 2);
  old.swap(short_);
  size_t mask = short_.size() - 1;
  for (const Short& slot : old) {
    if (slot.count == 0) continue;
    size_t i = slot.key.hash() & mask;
    while (short_[i].count) i = (i + 1) & mask;
    short_[i] = slot;
  }
}

void PieceTable::grow_long() {
  HugeVector<Long> old(long_.size() * 2);
  old.swap(long_);
  size_t mask = long_.size() - 1;
  for (const Long& slot : old) {
    if (slot.count == 0) continue;
    size_t i = slot.hash & mask;
    while (long_[i].count) i = (i + 1) & mask;
    long_[i] = slot;
  }
}

void PieceTable::merge_from(const PieceTable& other) {
  for (const Short& slot : other.short_)
    if (slot.count) add_short(slot.key, slot.key.hash(), slot.count);
  for (const Long& slot : other.long_)
    if (slot.count) add_long(std::string_view(other.text_).substr(slot.offset, slot.length), slot.hash, slot.count);
}

void PieceTable::drop_up_to(uint64_t count) {
  PieceTable kept;
  for (const Short& slot : short_)
    if (slot.count > count) kept.add_short(slot.key, slot.key.hash(), slot.count);
  for (const Long& slot : long_)
    if (slot.count > count) kept.add_long(std::string_view(text_).substr(slot.offset, slot.length), slot.hash, slot.count);
  *this = std::move(kept);
}

void PieceTable::clear() {
  std::fill(short_.begin(), short_.end(), Short{});
  std::fill(long_.begin(), long_.end(), Long{});
  short_used_ = long_used_ = 0;
  text_.clear();
}

size_t PieceCounts::size() const {
  size_t sum = 0;
  for (const auto& part : parts_) sum += part.size();
  return sum;
}

uint64_t PieceCounts::bytes() const {
  uint64_t sum = 0;
  for (const auto& part : parts_) sum += part.bytes();
  return sum;
}

void PieceCounts::add_waiting(size_t count) {
  for (size_t i = 0; i < count; ++i)
    parts_[waiting_[i].hash >> (64 - kPartBits)].add_short(waiting_[i].key, waiting_[i].hash, 1);
}

void PieceCounts::add_long(std::string_view piece, size_t longest) {
  auto continues = [&](size_t i) { return (static_cast<uint8_t>(piece[i]) & 0xC0) == 0x80; };
  while (piece.size() > longest) {
    size_t cut = longest;
    for (int back = 0; back < 3 && continues(cut); ++back) --cut;
    add_long(piece.substr(0, cut), longest);
    piece.remove_prefix(cut);
  }
  if (piece.size() <= PieceKey::kLongest) {
    const auto* p = reinterpret_cast<const uint8_t*>(piece.data());
    PieceKey key = piece_key(p, piece.size(), p + piece.size());
    parts_[key.hash() >> (64 - kPartBits)].add_short(key, key.hash(), 1);
  } else {
    uint64_t hash = base::hash64(piece);
    parts_[hash >> (64 - kPartBits)].add_long(piece, hash, 1);
  }
}

void PieceCounts::add_text(std::string_view text, Split split) {
  if (text.empty()) return;
  if (split == Split::kNone) {
    ++pieces;
    return add_long(text, kLongestUnsplitPiece);
  }
  size_t waiting = 0;
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const auto* end = p + text.size();
  while (p < end) {
    const uint8_t* q = next_piece(p, end);
    size_t length = static_cast<size_t>(q - p);
    ++pieces;
    if (length <= PieceKey::kLongest) [[likely]] {
      PieceKey key = piece_key(p, length, end);
      uint64_t hash = key.hash();
      parts_[hash >> (64 - kPartBits)].prefetch(hash);
      waiting_[waiting++] = {key, hash};
      if (waiting == kWaiting) add_waiting(waiting), waiting = 0;
    } else {
      add_long({reinterpret_cast<const char*>(p), length}, kLongestCountedPiece);
    }
    p = q;
  }
  add_waiting(waiting);
}

namespace {

// Hands out the stream in batches, in rounds, to any number of threads; digests it on the way.
class Rounds {
 public:
  Rounds(const DocumentStream& documents, TrainStatistics& statistics) : documents_(documents), statistics_(statistics) {}

  bool ended() const { return ended_; }
  void start_round() { round_bytes_ = 0; }

  // The next documents of this round; false at its end.
  bool next(std::vector<std::string>& batch) {
    std::lock_guard lock(mutex_);
    batch.clear();
    for (size_t bytes = 0; bytes < kBatchBytes && !ended_ && round_bytes_ < kRoundBytes;) {
      std::string text;
      ended_ = true;  // also when the stream throws: nobody asks it again
      if (!documents_(text)) break;
      ended_ = false;
      uint64_t size = text.size();
      digest_.update({reinterpret_cast<const char*>(&size), sizeof size});
      digest_.update(text);
      bytes += size + 1, round_bytes_ += size + 1;
      statistics_.bytes += size;
      ++statistics_.documents;
      batch.push_back(std::move(text));
    }
    base::throw_if_interrupted();
    return !batch.empty();
  }
  base::Digest digest() { return digest_.finish(); }

 private:
  static constexpr size_t kBatchBytes = 1 << 20;
  const DocumentStream& documents_;
  TrainStatistics& statistics_;
  std::mutex mutex_;
  base::Sha256 digest_;
  uint64_t round_bytes_ = 0;
  bool ended_ = false;
};

// Runs work(worker index) on each worker for the rest of this round.
void run_round(Rounds& rounds, int workers, const std::function<void(size_t, const std::string&)>& add) {
  rounds.start_round();
  base::parallel_for(static_cast<size_t>(workers), [&](size_t worker) {
    std::vector<std::string> batch;
    while (rounds.next(batch))
      for (const auto& text : batch) add(worker, text);
  }, workers);
}

int worker_count(int threads) { return threads > 0 ? threads : base::available_cores(); }

void keep_within(PieceCounts& counts, int64_t bound, TrainStatistics& statistics) {
  const size_t before = counts.size();
  if (before <= static_cast<size_t>(bound)) return;
  std::vector<uint64_t> all;
  all.reserve(before);
  for (const auto& part : counts.parts()) part.for_each([&](std::string_view, uint64_t count) { all.push_back(count); });
  // The piece that would be the first past half the bound, and all as rare as it, go.
  auto first_out = all.begin() + bound / 2;
  std::nth_element(all.begin(), first_out, all.end(), std::greater<>());
  for (auto& part : counts.parts()) part.drop_up_to(*first_out);
  statistics.dropped_pieces += before - counts.size();
}

}  // namespace

PieceCounts count_pieces(const DocumentStream& documents, Split split, int threads, int64_t max_distinct_pieces,
                         TrainStatistics& statistics, base::Digest& text_digest) {
  Rounds rounds(documents, statistics);
  const int workers = worker_count(threads);
  PieceCounts total;
  std::vector<PieceCounts> counts(static_cast<size_t>(workers));
  while (!rounds.ended()) {
    run_round(rounds, workers, [&](size_t worker, const std::string& text) { counts[worker].add_text(text, split); });
    base::parallel_for(total.parts().size(), [&](size_t part) {
      for (auto& count : counts) {
        if (total.parts()[part].size() == 0) std::swap(total.parts()[part], count.parts()[part]);
        else total.parts()[part].merge_from(count.parts()[part]);
        count.parts()[part].clear();
      }
    }, workers);
    keep_within(total, max_distinct_pieces, statistics);
  }
  for (const auto& count : counts) total.pieces += count.pieces;
  statistics.pieces = total.pieces;
  statistics.distinct_pieces = total.size();
  statistics.piece_table_bytes = total.bytes();
  text_digest = rounds.digest();
  return total;
}

std::vector<CharacterCount> count_characters(const DocumentStream& documents, int threads, TrainStatistics& statistics,
                                             base::Digest& text_digest) {
  Rounds rounds(documents, statistics);
  const int workers = worker_count(threads);
  std::vector<std::vector<uint64_t>> counts(static_cast<size_t>(workers), std::vector<uint64_t>(0x110000));
  while (!rounds.ended()) {
    run_round(rounds, workers, [&](size_t worker, const std::string& text) {
      for (size_t i = 0; i < text.size();) {
        base::CodePoint c = base::decode_utf8(text, i);
        if (c.valid && c.length > 1) ++counts[worker][c.value];
        i += c.length;
      }
    });
  }
  std::vector<CharacterCount> out;
  for (char32_t c = 0x80; c < 0x110000; ++c) {
    uint64_t sum = 0;
    for (const auto& count : counts) sum += count[c];
    if (sum) out.push_back({c, sum});
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  statistics.distinct_pieces = out.size();
  text_digest = rounds.digest();
  return out;
}

}  // namespace picochat::tokenizer
