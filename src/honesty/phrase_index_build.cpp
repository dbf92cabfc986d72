// Which seeds of a phrase are put into the index.
//
// A near match of threshold t in n words misses at most e = (1 - t) n of them, so e + 1 runs hold the rest and the
// longest has at least (n - e) / (e + 1) words: at 0.86 four for up to nine words, five above. So seeds of four and
// five words at every place of a phrase find every near match.
#include <algorithm>
#include <unordered_map>

#include "honesty/phrase_index.hpp"

namespace picochat::honesty {
namespace {

constexpr size_t kShortPhrase = 9, kShortSeed = 4, kSeed = 5, kTellingSeed = 3;
// A seed that more phrases share is a template's boilerplate. It says nothing about any one of them.
constexpr uint32_t kSharedSeed = 24;
// From here on it is wording that prompts have in common. Two phrases may be made of one row.
constexpr uint32_t kCommonSeed = 5;

size_t seed_words(size_t phrase_words) { return std::min(phrase_words, phrase_words <= kShortPhrase ? kShortSeed : kSeed); }

// In quarters of a word of a spaced script.
uint8_t word_length(std::string_view text, size_t begin) {
  base::FoldBuffer buffer;
  const auto folded = base::fold_code_point(base::decode_utf8(text, begin).value, buffer);
  if (folded.empty() || !tasks::word_scan::stands_alone(folded[0])) return 4;
  const bool south_east = folded[0] < 0x1800;
  return south_east ? 1 : 2;
}

}  // namespace

double length_in_words(std::string_view text) {
  WordHashes words;
  words.assign(text);
  uint64_t quarters = 0;
  for (size_t i = 0; i < words.size(); ++i) quarters += word_length(text, words.begin_of(i));
  return static_cast<double>(quarters) / 4;
}

PhraseIndex::PhraseIndex(std::vector<Phrase> phrases, size_t ngram, double near_threshold)
    : phrases_(std::move(phrases)), ngram_(std::max<size_t>(ngram, 2)), near_threshold_(near_threshold) {
  read_phrases();
  find_telling_words();
  build_tables();
}

void PhraseIndex::read_phrases() {
  WordHashes words;
  for (const Phrase& phrase : phrases_) {
    words.assign(phrase.text);
    words_.insert(words_.end(), words.hashes().begin(), words.hashes().end());
    for (size_t i = 0; i < words.size(); ++i) quarters_.push_back(word_length(phrase.text, words.begin_of(i)));
    starts_.push_back(words_.size());
    telling_.push_back(words.numbers());
  }
}

// Numbers tell a phrase from its neighbours. A phrase without any may still be a template with one open
// place: then other phrases are equal but for the word in that place.
void PhraseIndex::find_telling_words() {
  auto each_gap = [&](size_t p, auto visit) {
    if (!telling_[p].empty()) return;  // its numbers
    const std::span<const uint64_t> phrase = words_of(p);
    const uint64_t whole = hash_of_words(phrase.data(), phrase.size());
    uint64_t power = 1;
    for (size_t at = phrase.size(); at-- > 0; power *= kWordBase) {
      // The sum without word `at`; its place stays.
      visit(at, (whole - phrase[at] * power) ^ at);
    }
  };
  std::unordered_map<uint64_t, uint32_t> open_places;
  for (size_t p = 0; p < phrases_.size(); ++p) each_gap(p, [&](size_t, uint64_t rest) { ++open_places[rest]; });
  for (size_t p = 0; p < phrases_.size(); ++p) {
    std::vector<uint32_t> found;
    each_gap(p, [&](size_t at, uint64_t rest) {
      if (open_places[rest] >= 3) found.push_back(static_cast<uint32_t>(at));
    });
    if (telling_[p].empty()) telling_[p].assign(found.rbegin(), found.rend());
  }
}

void PhraseIndex::build_tables() {
  auto key_at = [&](size_t p, size_t offset, size_t n) { return seed_key(hash_of_words(&words_[starts_[p] + offset], n), n); };
  std::unordered_map<uint64_t, uint32_t> sharing;
  auto count = [&](size_t p, size_t n) {
    for (size_t i = 0; n > 0 && i + n <= words_in(p); ++i) ++sharing[key_at(p, i, n)];
  };
  for (size_t p = 0; p < phrases_.size(); ++p) {
    count(p, seed_words(words_in(p)));
    if (phrases_[p].near && words_in(p) > kTellingSeed && !telling_[p].empty()) count(p, kTellingSeed);
  }

  common_.assign(words_.size(), 1);
  std::vector<SeedTable::Entry> seeds, runs;
  std::vector<char> chosen;  // by offset, of this phrase's own seed length
  for (size_t p = 0; p < phrases_.size(); ++p) {
    const size_t size = words_in(p), n = seed_words(size);
    if (size == 0) continue;
    chosen.assign(size - n + 1, 0);
    // The rarest seed is always there, so that a whole phrase is found however many share its wording.
    size_t rarest = 0;
    for (size_t i = 0; i < chosen.size(); ++i) {
      const uint32_t shared = sharing[key_at(p, i, n)];
      if (shared < sharing[key_at(p, rarest, n)]) rarest = i;
      chosen[i] = phrases_[p].near && shared <= kSharedSeed;
      common_[starts_[p] + i] = shared >= kCommonSeed;
    }
    chosen[rarest] = 1;
    auto add = [&](std::vector<SeedTable::Entry>& entries, size_t offset, size_t words, bool follows) {
      entries.push_back({key_at(p, offset, words), {static_cast<uint32_t>(p), static_cast<uint32_t>(offset), follows}});
    };
    for (size_t i = 0; i < chosen.size(); ++i)
      if (chosen[i]) add(seeds, i, n, i > 0 && chosen[i - 1]);
    has_seeds_[n] = true;
    if (!phrases_[p].near) continue;
    // A changed word beside a telling one breaks every longer seed around it.
    if (size > kTellingSeed) {
      for (uint32_t telling : telling_[p]) {
        for (size_t i = telling >= 2 ? telling - 2 : 0; i <= telling && i + kTellingSeed <= size; ++i) {
          if (sharing[key_at(p, i, kTellingSeed)] > kSharedSeed) continue;
          add(seeds, i, kTellingSeed, false);
          has_seeds_[kTellingSeed] = true;
        }
      }
    }
    bool before = false;
    for (size_t i = 0; i + ngram_ <= size; ++i) {
      bool led_to = false;
      for (size_t j = i; j < chosen.size() && j + n <= i + ngram_; ++j) led_to = led_to || chosen[j];
      if (!led_to) add(runs, i, ngram_, before);
      before = !led_to;
    }
  }
  seeds_.build(std::move(seeds));
  runs_.build(std::move(runs));
}

}  // namespace picochat::honesty
