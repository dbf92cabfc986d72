#include "tokenizer/bpe_train.hpp"

#include <malloc.h>

#include <algorithm>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/threads.hpp"
#include "tokenizer/pair_index.hpp"
#include "tokenizer/words.hpp"

namespace picochat::tokenizer {
namespace {

// What one merge does to the pairs with one neighbour, gathered densely by the neighbour's id.
class NeighbourChanges {
 public:
  struct Entry {
    int64_t lost = 0, gained = 0;
    uint32_t words = 0;  // in which the pair was gained
    uint32_t last_word = Words::kNone;
    uint32_t pair = PairIndex::kNone;
    bool touched = false;
  };

  void lose(TokenId id, int64_t count) { touch(id).lost += count; }
  void gain(TokenId id, int64_t count, uint32_t word) {
    Entry& entry = touch(id);
    entry.gained += count;
    if (entry.last_word == word) return;
    entry.last_word = word;
    ++entry.words;
    places_.push_back({id, word});
  }
  // A pair that this very merge made, unmade by the next occurrence beside it.
  void take_back(TokenId id, int64_t count) { touch(id).gained -= count; }

  // Adds what another thread gathered of the same merge; its places stay with it.
  void add(const NeighbourChanges& other) {
    for (TokenId id : other.touched_) {
      Entry& entry = touch(id);
      entry.lost += other.entries_[id].lost;
      entry.gained += other.entries_[id].gained;
      entry.words += other.entries_[id].words;
    }
  }

  Entry& operator[](TokenId id) { return entries_[id]; }
  const std::vector<TokenId>& touched() const { return touched_; }
  const std::vector<std::pair<TokenId, uint32_t>>& places() const { return places_; }
  void start(size_t tokens) {
    for (TokenId id : touched_) entries_[id] = {};
    entries_.resize(tokens);
    touched_.clear();
    places_.clear();
  }

 private:
  Entry& touch(TokenId id) {
    Entry& entry = entries_[id];
    if (!entry.touched) {
      entry.touched = true;
      touched_.push_back(id);
    }
    return entry;
  }
  std::vector<Entry> entries_;
  std::vector<TokenId> touched_;
  std::vector<std::pair<TokenId, uint32_t>> places_;
};

class Learner {
 public:
  Learner(Model& model, Words words, const TrainOptions& options)
      : model_(model), vocab_size_(static_cast<size_t>(options.vocab_size)), min_freq_(std::max<int64_t>(1, options.min_freq)),
        progress_(options.merge_progress), words_(std::move(words)),
        changes_(static_cast<size_t>(options.threads > 0 ? options.threads : base::available_cores())) {
    for (TokenId id = 0; id < model.tokens.size(); ++id)
      ids_.emplace(id < kSpecialTokens ? std::string(kSpecialTokenText[id]) : model.tokens[id], id);
  }

  // Only pairs of at least `threshold` occurrences are indexed. A pair never becomes more frequent
  // after the merge that made the later of its tokens, so no other pair can be next before the
  // indexed ones are used up; then all are counted anew and the threshold is lowered.
  void learn() {
    while (model_.tokens.size() < vocab_size_) {
      pairs_ = {};
      ::malloc_trim(0);  // what the words of merged pairs left in the heap, before the next index needs as much
      if (!index_frequent_pairs()) return;
      merge_indexed();
    }
  }

 private:
  static constexpr int64_t kIndexAllBelow = 64, kThresholdStep = 16;
  // Walking through so many words takes several times as long as starting a thread.
  static constexpr size_t kWordsForAThread = 4096;
  static constexpr size_t kGroupsAtOnce = 2;

  struct Changes {
    NeighbourChanges left, right;  // pairs (neighbour, token) and (token, neighbour)
  };

  struct Candidate {
    int64_t count;
    uint64_t pair;
    // std::priority_queue puts the largest first: more occurrences, then the smaller pair.
    friend bool operator<(const Candidate& a, const Candidate& b) {
      return a.count != b.count ? a.count < b.count : a.pair > b.pair;
    }
  };

  // Chooses the threshold and indexes what reaches it; false when no pair may be merged any more.
  bool index_frequent_pairs() {
    const PairBounds bounds = words_.bound_pairs(threads());
    for (int64_t most = bounds.most(); most >= min_freq_;) {
      threshold_ = most <= kIndexAllBelow ? min_freq_ : std::max(min_freq_, most / kThresholdStep);
      PairCounts counts = words_.count_pairs(bounds, threshold_, threads());
      for (uint64_t pair : forbidden_)
        if (PairCount* found = counts.find(pair)) found->count = 0;
      if (std::ranges::any_of(counts.slots(), [&](const auto& slot) { return slot.value.count >= threshold_; })) {
        index_pairs(counts);
        return true;
      }
      most = threshold_ - 1;  // the bound was that of forbidden pairs, or of many rare ones
    }
    return false;
  }

  void index_pairs(const PairCounts& counts) {
    std::vector<Candidate> candidates;
    for (const auto& slot : counts.slots()) {
      if (slot.value.count < threshold_) continue;
      pairs_[pairs_.add(slot.pair, slot.value.count)].words.reserve(slot.value.places);
      candidates.push_back({slot.value.count, slot.pair});
    }
    queue_ = std::priority_queue<Candidate>(std::less<Candidate>(), std::move(candidates));
    // Some groups at a time: what is found takes twice the memory of what is kept.
    std::vector<std::vector<std::pair<uint32_t, uint32_t>>> found(std::min(words_.groups(), std::max(kGroupsAtOnce, changes_.size())));  // pair, word
    for (size_t first = 0; first < words_.groups(); first += found.size()) {
      base::parallel_for(std::min(found.size(), words_.groups() - first), [&](size_t i) {
        words_.for_each_pair(first + i, [&](uint64_t pair) { pairs_.prefetch(pair); }, [&](size_t word, uint64_t pair) {
          uint32_t place = pairs_.place(pair);
          if (place != PairIndex::kNone) found[i].emplace_back(place, static_cast<uint32_t>(word));
        });
      }, threads());
      for (auto& list : found) {
        for (auto [pair, word] : list) {
          auto& words = pairs_[pair].words;
          if (words.empty() || words.back() != word) words.push_back(word);
        }
        list.clear();
      }
    }
  }

  // Takes candidates in order until the index cannot tell which pair is next.
  void merge_indexed() {
    while (!queue_.empty() && model_.tokens.size() < vocab_size_) {
      Candidate top = queue_.top();
      queue_.pop();
      PairIndex::Pair* pair = pairs_.find(top.pair);
      if (pair->count != top.count) {  // it has lost occurrences since it was queued
        if (pair->count >= threshold_) queue_.push({pair->count, top.pair});
        continue;
      }
      if ((model_.merges.size() & 255) == 0) {
        base::throw_if_interrupted();
        if (progress_) progress_(static_cast<int64_t>(model_.merges.size()), static_cast<int64_t>(vocab_size_ - kMinimumVocab));
      }
      TokenId left = static_cast<TokenId>(top.pair >> 32), right = static_cast<TokenId>(top.pair);
      std::string bytes = model_.tokens[left] + model_.tokens[right];
      auto [known, is_new] = ids_.emplace(bytes, static_cast<TokenId>(model_.tokens.size()));
      TokenId result = known->second;
      if (result < kSpecialTokens) {  // no ordinary token may be spelled like a special one
        forbidden_.insert(top.pair);
        pair->count = 0;
        continue;
      }
      if (is_new) model_.tokens.push_back(std::move(bytes));
      // A pair can come up again once its right or left token was made in a second way.
      if (merged_.insert(top.pair).second) model_.merges.push_back({left, right, result});
      std::vector<uint32_t> words = std::move(pair->words);
      pair->words = {};
      pair->count = 0;
      const size_t parts = merge_in_all_words(left, right, result, words);
      // Two pairs that spell one token: its pairs may have grown, which the index cannot show.
      if (!is_new) return;
      update_pairs(left, right, result, parts);
    }
  }

  // Each word stands once in `words`, so parts of the list do not meet. The number of parts.
  size_t merge_in_all_words(TokenId left, TokenId right, TokenId result, std::span<const uint32_t> words) {
    const size_t parts = std::clamp<size_t>(words.size() / kWordsForAThread, 1, changes_.size());
    const size_t each = (words.size() + parts - 1) / parts;
    base::parallel_for(parts, [&](size_t part) {
      Changes& changes = changes_[part];
      changes.left.start(model_.tokens.size());
      changes.right.start(model_.tokens.size());
      const size_t begin = std::min(part * each, words.size());
      merge_in_words(left, right, result, words.subspan(begin, std::min(each, words.size() - begin)), changes.left, changes.right);
    }, static_cast<int>(parts));
    return parts;
  }

  void merge_in_words(TokenId left, TokenId right, TokenId result, std::span<const uint32_t> words, NeighbourChanges& left_changes,
                      NeighbourChanges& right_changes) {
    for (size_t w = 0; w < words.size(); ++w) {
      if (w + 8 < words.size()) words_.prefetch(words[w + 8]);
      const uint32_t word = words[w];
      const int64_t count = static_cast<int64_t>(words_.count(word));
      auto symbols = words_.symbols(word);
      size_t kept = 0;
      size_t merged_at = Words::kNone;  // where the last merged symbol of this word stands
      for (size_t i = 0; i < symbols.size(); ++i, ++kept) {
        if (symbols[i] != left || i + 1 == symbols.size() || symbols[i + 1] != right) {
          symbols[kept] = symbols[i];
          continue;
        }
        if (kept > 0) {
          TokenId before = symbols[kept - 1];
          if (merged_at == kept - 1) right_changes.take_back(left, count);
          else left_changes.lose(before, count);
          left_changes.gain(before, count, word);
        }
        if (i + 2 < symbols.size()) {
          right_changes.lose(symbols[i + 2], count);
          right_changes.gain(symbols[i + 2], count, word);
        }
        symbols[kept] = result;
        merged_at = kept;
        ++i;
      }
      words_.shrink(word, kept);
    }
  }

  void update_pairs(TokenId left, TokenId right, TokenId result, size_t parts) {
    update_side(&Changes::left, parts, [&](TokenId id) { return pair_key(id, left); }, [&](TokenId id) { return pair_key(id, result); });
    update_side(&Changes::right, parts, [&](TokenId id) { return pair_key(right, id); }, [&](TokenId id) { return pair_key(result, id); });
    if (PairIndex::Pair* merged = pairs_.find(pair_key(left, right))) merged->count = 0;
  }

  template <typename OldKey, typename NewKey>
  void update_side(NeighbourChanges Changes::*side, size_t parts, OldKey old_key, NewKey new_key) {
    NeighbourChanges& total = changes_[0].*side;
    for (size_t part = 1; part < parts; ++part) total.add(changes_[part].*side);
    for (TokenId id : total.touched()) {
      NeighbourChanges::Entry& entry = total[id];
      if (entry.lost) {
        if (PairIndex::Pair* pair = pairs_.find(old_key(id))) pair->count -= entry.lost;
      }
      if (entry.gained < threshold_) continue;
      entry.pair = pairs_.add(new_key(id), entry.gained);
      pairs_[entry.pair].words.reserve(entry.words);
      queue_.push({entry.gained, new_key(id)});
    }
    for (size_t part = 0; part < parts; ++part) {
      for (auto [id, word] : (changes_[part].*side).places()) {
        uint32_t pair = total[id].pair;
        if (pair != PairIndex::kNone) pairs_[pair].words.push_back(word);
      }
    }
  }

  int threads() const { return static_cast<int>(changes_.size()); }

  Model& model_;
  size_t vocab_size_;
  int64_t min_freq_;
  const std::function<void(int64_t, int64_t)>& progress_;
  Words words_;
  int64_t threshold_ = 0;
  PairIndex pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<Changes> changes_;  // of each thread
  std::unordered_map<std::string, TokenId> ids_;
  std::unordered_set<uint64_t> merged_, forbidden_;
};

}  // namespace

void learn_merges(Model& model, PieceCounts counts, const TrainOptions& options) {
  Learner(model, Words(std::move(counts), model), options).learn();
}

}  // namespace picochat::tokenizer
