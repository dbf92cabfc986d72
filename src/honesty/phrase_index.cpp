#include "honesty/phrase_index.hpp"

#include <algorithm>

namespace picochat::honesty {
namespace {

constexpr uint64_t kBase = 0xF1357AEA2E62A9C5u;  // of the rolling hash
constexpr size_t kSeedWords = 4, kTellingSeedWords = 3;
// A seed that more phrases share is a template's boilerplate. It says nothing about any one of them.
constexpr size_t kSharedSeed = 24;
constexpr double kNearlyAll = 0.80;
constexpr size_t kFilterWords = size_t{1} << (22 - 6);

uint64_t hash_of(const uint64_t* words, size_t n) {
  uint64_t hash = 0;
  for (size_t i = 0; i < n; ++i) hash = hash * kBase + words[i];
  return hash;
}

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
  while (end > begin) {
    auto c = static_cast<unsigned char>(text[end - 1]);
    if (c >= 128 || tasks::word_scan::kTables.kind[c] != tasks::word_scan::kSeparator) break;
    --end;
  }
  return end;
}

}  // namespace

PhraseIndex::PhraseIndex(std::vector<Phrase> phrases, size_t ngram, double near_threshold)
    : phrases_(std::move(phrases)), ngram_(std::max<size_t>(ngram, 2)), near_threshold_(near_threshold) {
  WordHashes words;
  std::vector<std::vector<uint32_t>> numbers;
  for (const Phrase& phrase : phrases_) {
    words.assign(phrase.text);
    words_.push_back(words.hashes());
    numbers.push_back(words.numbers());
  }
  find_telling_words(numbers);

  std::unordered_map<uint64_t, size_t> sharing;
  for (const auto& phrase : words_) {
    for (size_t n : {kSeedWords, kTellingSeedWords}) {
      for (size_t i = 0; i + n <= phrase.size(); ++i) ++sharing[hash_of(&phrase[i], n)];
    }
  }
  Table runs = make_table(ngram_), seeds = make_table(kSeedWords);
  std::array<Table, kSeedWords> small;  // whole phrases of one to three words, and seeds around telling words
  for (size_t n = 1; n < kSeedWords; ++n) small[n] = make_table(n);
  for (uint32_t p = 0; p < words_.size(); ++p) {
    const std::vector<uint64_t>& phrase = words_[p];
    if (phrase.empty()) continue;
    if (phrase.size() < kSeedWords) {
      add_place(small[phrase.size()], hash_of(phrase.data(), phrase.size()), {p, 0});
      continue;
    }
    if (phrase.size() >= ngram_) {
      for (uint32_t i = 0; i + ngram_ <= phrase.size(); ++i) add_place(runs, hash_of(&phrase[i], ngram_), {p, i});
    }
    // The rarest seed is always there, so that a whole phrase is found however many share its wording.
    uint32_t rarest = 0;
    for (uint32_t i = 0; i + kSeedWords <= phrase.size(); ++i) {
      if (sharing[hash_of(&phrase[i], kSeedWords)] < sharing[hash_of(&phrase[rarest], kSeedWords)]) rarest = i;
    }
    for (uint32_t i = 0; i + kSeedWords <= phrase.size(); ++i) {
      uint64_t hash = hash_of(&phrase[i], kSeedWords);
      if (i == rarest || (phrases_[p].near && sharing[hash] <= kSharedSeed)) add_place(seeds, hash, {p, i});
    }
    // A changed word beside a telling one breaks every seed of four words around it.
    if (!phrases_[p].near) continue;
    for (uint32_t telling : telling_[p]) {
      for (uint32_t i = telling >= 2 ? telling - 2 : 0; i <= telling && i + kTellingSeedWords <= phrase.size(); ++i) {
        uint64_t hash = hash_of(&phrase[i], kTellingSeedWords);
        if (sharing[hash] <= kSharedSeed) add_place(small[kTellingSeedWords], hash, {p, i});
      }
    }
  }
  for (Table* table : {&runs, &seeds, &small[1], &small[2], &small[3]}) {
    if (!table->places.empty()) tables_.push_back(std::move(*table));
  }
}

// Numbers tell a phrase from its neighbours. A phrase without any may still be a template with one open
// place: then other phrases are equal but for the word in that place.
void PhraseIndex::find_telling_words(const std::vector<std::vector<uint32_t>>& numbers) {
  auto without = [](const std::vector<uint64_t>& phrase, uint64_t whole, size_t at) {
    // hash_of with word `at` left out of the sum; its place stays.
    uint64_t power = 1;
    for (size_t i = at + 1; i < phrase.size(); ++i) power *= kBase;
    return (whole - phrase[at] * power) ^ at;
  };
  std::unordered_map<uint64_t, uint32_t> open_places;
  for (size_t p = 0; p < words_.size(); ++p) {
    if (!numbers[p].empty()) continue;
    uint64_t whole = hash_of(words_[p].data(), words_[p].size());
    for (size_t at = 0; at < words_[p].size(); ++at) ++open_places[without(words_[p], whole, at)];
  }
  for (size_t p = 0; p < words_.size(); ++p) {
    telling_.push_back(numbers[p]);
    if (!numbers[p].empty()) continue;
    uint64_t whole = hash_of(words_[p].data(), words_[p].size());
    for (size_t at = 0; at < words_[p].size(); ++at) {
      if (open_places[without(words_[p], whole, at)] >= 3) telling_[p].push_back(static_cast<uint32_t>(at));
    }
  }
}

PhraseIndex::Table PhraseIndex::make_table(size_t n) const {
  Table table;
  table.n = n;
  table.top_power = 1;
  for (size_t i = 1; i < n; ++i) table.top_power *= kBase;
  table.filter.assign(kFilterWords, 0);
  return table;
}

void PhraseIndex::add_place(Table& table, uint64_t hash, Place place) {
  uint64_t bit = hash * 0x9E3779B97F4A7C15u >> 42;
  table.filter[bit / 64] |= uint64_t{1} << (bit % 64);
  table.places[hash].push_back(place);
}

std::vector<PhraseHit> PhraseIndex::find(std::string_view text, Scratch& scratch) const {
  scratch.words.assign(text);
  scratch.checked.clear();
  std::unordered_map<size_t, PhraseHit> hits;
  for (const Table& table : tables_) search(table, text, scratch, hits);
  std::vector<PhraseHit> out;
  for (auto& [phrase, hit] : hits) out.push_back(hit);
  std::sort(out.begin(), out.end(), [](const PhraseHit& a, const PhraseHit& b) { return a.phrase < b.phrase; });
  return out;
}

void PhraseIndex::search(const Table& table, std::string_view text, Scratch& scratch, std::unordered_map<size_t, PhraseHit>& hits) const {
  const std::vector<uint64_t>& words = scratch.words.hashes();
  if (words.size() < table.n) return;
  uint64_t hash = hash_of(words.data(), table.n);
  for (size_t at = 0;; ++at) {
    if (table.may_have(hash)) {
      auto it = table.places.find(hash);
      if (it != table.places.end()) {
        for (const Place& place : it->second) compare(place, at, text, scratch, hits);
      }
    }
    if (at + table.n >= words.size()) return;
    hash = (hash - words[at] * table.top_power) * kBase + words[at + table.n];
  }
}

// The n-gram at word `at` of the text is that at `place` of a phrase: how much of the phrase is around it?
void PhraseIndex::compare(const Place& place, size_t at, std::string_view text, Scratch& scratch,
                          std::unordered_map<size_t, PhraseHit>& hits) const {
  const std::vector<uint64_t>& phrase = words_[place.phrase];
  const std::vector<uint64_t>& words = scratch.words.hashes();
  // One comparison for all n-grams of a run: those lie on one diagonal.
  size_t diagonal = at + phrase.size() - place.offset;
  uint64_t key = static_cast<uint64_t>(place.phrase) << 32 ^ diagonal;
  auto [checked, fresh] = scratch.checked.try_emplace(key, 0);
  if (!fresh && at < checked->second) return;

  size_t left = place.offset, start = at, right = place.offset, end = at;
  while (left > 0 && start > 0 && phrase[left - 1] == words[start - 1]) --left, --start;
  while (right < phrase.size() && end < words.size() && phrase[right] == words[end]) ++right, ++end;
  checked->second = end;
  if (start >= end) return;  // two n-grams with one hash

  PhraseHit hit;
  hit.phrase = place.phrase;
  hit.run_words = end - start;
  hit.coverage = static_cast<double>(hit.run_words) / static_cast<double>(phrase.size());
  hit.whole = hit.run_words == phrase.size();
  hit.similarity = hit.coverage;
  hit.begin = scratch.words.begin_of(start);
  hit.end = trim_end(text, hit.begin, scratch.words.end_of(end - 1));
  if (phrases_[place.phrase].sentence && !(hit.whole && stands_alone(text, hit.begin, hit.end))) return;
  if (!hit.whole) {
    if (!phrases_[place.phrase].near) return;
    size_t from = at >= place.offset ? at - place.offset : 0;
    double similarity = aligned_similarity(place.phrase, from, scratch.words);
    // A run of a template's wording without what the question asks about is no part of the question,
    // unless it is nearly all of the prompt.
    bool tells = telling_[place.phrase].empty() || hit.coverage >= kNearlyAll;
    for (uint32_t word : telling_[place.phrase]) tells = tells || (word >= left && word < right);
    bool long_run = hit.run_words >= ngram_ && tells;
    if (similarity >= near_threshold_) {
      size_t last = std::min(from + phrase.size(), words.size());
      hit.similarity = similarity;
      hit.begin = scratch.words.begin_of(from);
      hit.end = trim_end(text, hit.begin, scratch.words.end_of(last - 1));
    } else if (!long_run) {
      return;
    }
  }
  auto [best, first] = hits.try_emplace(place.phrase, hit);
  auto rank = [](const PhraseHit& h) { return std::make_pair(h.whole, std::max(h.similarity, h.coverage)); };
  if (!first && rank(hit) > rank(best->second)) best->second = hit;
}

// Longest common subsequence of the phrase and the words from `start` on, in a band of three words for
// what was put in or left out, over the phrase's length. 0 when a telling word of the phrase is not there.
double PhraseIndex::aligned_similarity(size_t phrase_index, size_t start, const WordHashes& text) const {
  constexpr size_t kBand = 3;
  const std::vector<uint64_t>& phrase = words_[phrase_index];
  const std::vector<uint64_t>& words = text.hashes();
  size_t low = start > kBand ? start - kBand : 0;
  size_t high = std::min(words.size(), start + phrase.size() + kBand);
  size_t width = high - low;
  std::vector<uint32_t> row(width + 1, 0);
  for (size_t i = 0; i < phrase.size(); ++i) {
    size_t centre = start - low + i;
    size_t first = std::min(width, centre > kBand ? centre - kBand : 0), last = std::min(width, centre + kBand + 1);
    // Outside the band the row keeps what the rows before it reached.
    uint32_t diagonal = row[first];
    for (size_t j = first; j < last; ++j) {
      uint32_t above = row[j + 1];
      row[j + 1] = phrase[i] == words[low + j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
    for (size_t j = last; j < width; ++j) row[j + 1] = std::max(row[j + 1], row[j]);
  }
  auto begin = words.begin() + static_cast<std::ptrdiff_t>(low), end = words.begin() + static_cast<std::ptrdiff_t>(high);
  for (uint32_t at : telling_[phrase_index]) {
    if (std::find(begin, end, phrase[at]) == end) return 0;
  }
  return static_cast<double>(row[width]) / static_cast<double>(phrase.size());
}

}  // namespace picochat::honesty
