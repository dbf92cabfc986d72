// The search. How the tables are filled: phrase_index_build.cpp.
#include "honesty/phrase_index.hpp"

#include <algorithm>
#include <tuple>

#include "honesty/alignment.hpp"
#include "honesty/severity.hpp"

namespace picochat::honesty {
namespace {

constexpr size_t kMaxSeed = 5;
constexpr double kJaccardRun = 1.0 / 3;  // word order may be changed when this much of it is kept

bool ends_sentence(char c) { return c == '.' || c == '!' || c == '?' || c == '\n' || c == ':' || c == ';' || c == '"'; }

// Whether the bytes around [begin, end) are the bounds of a sentence or of the text.
bool stands_alone(std::string_view text, size_t begin, size_t end) {
  size_t before = begin;
  while (before > 0 && (text[before - 1] == ' ' || text[before - 1] == '\t')) --before;
  if (before > 0 && !ends_sentence(text[before - 1])) return false;
  size_t after = end;
  while (after < text.size() && (text[after] == ' ' || text[after] == '\t')) ++after;
  return after >= text.size() || ends_sentence(text[after]);
}

// End of the last word, without the separators after it.
size_t trim_end(std::string_view text, size_t begin, size_t end) {
  while (end > begin && tasks::word_scan::is_separator(text[end - 1])) --end;
  return end;
}

}  // namespace

bool PhraseIndex::better(const PhraseHit& a, const PhraseHit& b) {
  auto rank = [](const PhraseHit& h) { return std::make_pair(h.whole, std::max(h.similarity, h.coverage)); };
  return rank(a) > rank(b);
}

double PhraseIndex::length_between(size_t phrase, size_t begin, size_t end) const {
  uint64_t quarters = 0;
  for (size_t i = starts_[phrase] + begin; i < starts_[phrase] + end; ++i) quarters += quarters_[i];
  return static_cast<double>(quarters) / 4;
}

std::span<const PhraseHit> PhraseIndex::find(std::string_view text, size_t begin, size_t end, Scratch& scratch, bool all) const {
  scratch.hits.clear();
  scratch.best.resize(phrases_.size(), 0);
  scratch.words.scan(text, begin, end);
  const std::vector<uint64_t>& words = scratch.words.hashes();
  auto probe = [&](uint64_t hash, size_t n, size_t at) {
    const uint64_t key = seed_key(hash, n);
    if (seeds_.may_have(key)) [[unlikely]] look_up(key, n, at, text, scratch, all);
  };
  if (!seeds_.empty()) {
    for (size_t at = 0; at < words.size(); ++at) {
      // The hash of n words from that of n - 1: no step waits for the word before.
      const size_t longest = std::min(kMaxSeed, words.size() - at);
      uint64_t hash = 0;
      for (size_t n = 1; n <= longest; ++n) {
        hash = hash * kWordBase + words[at + n - 1];
        if (has_seeds_[n]) probe(hash, n, at);
      }
    }
  }
  if (!runs_.empty() && words.size() >= ngram_) {
    uint64_t top = 1;
    for (size_t i = 1; i < ngram_; ++i) top *= kWordBase;
    uint64_t hash = hash_of_words(words.data(), ngram_);
    for (size_t at = 0;; ++at) {
      const uint64_t key = seed_key(hash, ngram_);
      if (runs_.may_have(key)) [[unlikely]] {
        for (const SeedPlace& place : runs_.find(key)) compare(place, ngram_, at, text, scratch, all);
      }
      if (at + ngram_ >= words.size()) break;
      hash = (hash - words[at] * top) * kWordBase + words[at + ngram_];
    }
  }
  std::vector<PhraseHit>& hits = scratch.hits;
  for (const PhraseHit& hit : hits) scratch.best[hit.phrase] = 0;
  if (all) std::sort(hits.begin(), hits.end(), [](const auto& a, const auto& b) { return std::tie(a.begin, a.end, a.phrase) < std::tie(b.begin, b.end, b.phrase); });
  else std::sort(hits.begin(), hits.end(), [](const auto& a, const auto& b) { return a.phrase < b.phrase; });
  return hits;
}

void PhraseIndex::look_up(uint64_t key, size_t n, size_t at, std::string_view text, Scratch& scratch, bool all) const {
  for (const SeedPlace& place : seeds_.find(key)) compare(place, n, at, text, scratch, all);
}

// The n words at `at` of the text are those at `place` of a phrase: how much of the phrase is around them?
void PhraseIndex::compare(const SeedPlace& place, size_t n, size_t at, std::string_view text, Scratch& scratch, bool all) const {
  const std::span<const uint64_t> phrase = words_of(place.phrase);
  const std::vector<uint64_t>& words = scratch.words.hashes();
  size_t left = place.offset, start = at;
  if (left > 0 && start > 0 && phrase[left - 1] == words[start - 1] && place.follows) return;
  while (left > 0 && start > 0 && phrase[left - 1] == words[start - 1]) --left, --start;
  size_t right = place.offset, end = at;
  while (right < phrase.size() && end < words.size() && phrase[right] == words[end]) ++right, ++end;
  if (right < place.offset + n) return;  // two seeds with one key

  PhraseHit hit;
  hit.phrase = place.phrase;
  hit.run_words = end - start;
  hit.coverage = static_cast<double>(hit.run_words) / static_cast<double>(phrase.size());
  hit.whole = hit.run_words == phrase.size();
  hit.similarity = hit.coverage;
  hit.begin = scratch.words.begin_of(start);
  hit.end = trim_end(text, hit.begin, scratch.words.end_of(end - 1));
  if (phrases_[place.phrase].sentence && !(hit.whole && stands_alone(text, hit.begin, hit.end))) return;
  if (!hit.whole && !(phrases_[place.phrase].near && compare_nearly(hit, left, right, start, end, text, scratch.words))) return;
  hit.run_length = length_between(place.phrase, left, right);
  add(hit, scratch, all);
}

// Words [left, right) of the phrase are words [start, end) of the text. Whether that is a finding; a near match widens the hit.
bool PhraseIndex::compare_nearly(PhraseHit& hit, size_t left, size_t right, size_t start, size_t end, std::string_view text,
                                 const WordHashes& words) const {
  const std::span<const uint64_t> phrase = words_of(hit.phrase), all(words.hashes());
  const auto size = static_cast<double>(phrase.size());
  const auto allowed = static_cast<size_t>(size * (1 - near_threshold_) + 1e-9);
  auto widen = [&](size_t from, size_t to, double similarity) {
    hit.similarity = similarity;
    hit.begin = words.begin_of(from);
    hit.end = trim_end(text, hit.begin, words.end_of(to - 1));
  };
  if (allowed > 0) {
    const Alignment before = align_backwards(phrase.first(left), all.first(start), allowed);
    if (before.misses <= allowed) {
      const Alignment after = align(phrase.subspan(right), all.subspan(end), allowed - before.misses);
      const size_t from = start - before.text_words, to = end + after.text_words;
      if (before.misses + after.misses <= allowed && holds_telling_words(hit.phrase, all.subspan(from, to - from))) {
        widen(from, to, 1 - static_cast<double>(before.misses + after.misses) / size);
        return true;
      }
    }
    // The same words in another order, around a part that is kept: the others where they were, all before it, or all after.
    if (hit.coverage >= kJaccardRun) {
      const size_t others = phrase.size() - hit.run_words;
      for (size_t before_run : {left, others, size_t{0}}) {
        const size_t from = start - std::min(start, before_run), to = std::min(all.size(), end + (others - before_run));
        const std::span<const uint64_t> window = all.subspan(from, to - from);
        const double similarity = jaccard(phrase, window);
        if (similarity < near_threshold_ || !holds_telling_words(hit.phrase, window)) continue;
        widen(from, to, similarity);
        return true;
      }
    }
  }
  // A shorter run. Of a template's wording, without what the question asks about, it is no part of the question, unless
  // it is nearly all of the prompt.
  const double length = length_between(hit.phrase, left, right);
  if (length < static_cast<double>(ngram_)) return false;
  if (hit.coverage >= kBlockingCoverage) return true;
  const std::vector<uint32_t>& telling = telling_[hit.phrase];
  if (!telling.empty()) return std::any_of(telling.begin(), telling.end(), [&](uint32_t word) { return word >= left && word < right; });
  if (length >= 2 * static_cast<double>(ngram_)) return true;
  const auto common = std::span(common_).subspan(starts_[hit.phrase] + left, right - left - (kMaxSeed - 1));  // seeds within the run
  return std::any_of(common.begin(), common.end(), [](uint8_t is_common) { return is_common == 0; });
}

bool PhraseIndex::holds_telling_words(size_t phrase, std::span<const uint64_t> window) const {
  const std::span<const uint64_t> words = words_of(phrase);
  return std::all_of(telling_[phrase].begin(), telling_[phrase].end(),
                     [&](uint32_t at) { return std::find(window.begin(), window.end(), words[at]) != window.end(); });
}

void PhraseIndex::add(const PhraseHit& hit, Scratch& scratch, bool all) const {
  if (all) {
    scratch.hits.push_back(hit);
    return;
  }
  uint32_t& best = scratch.best[hit.phrase];
  if (best == 0) {
    scratch.hits.push_back(hit);
    best = static_cast<uint32_t>(scratch.hits.size());
  } else if (better(hit, scratch.hits[best - 1])) {
    scratch.hits[best - 1] = hit;
  }
}

}  // namespace picochat::honesty
