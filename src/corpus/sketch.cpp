// MinHash: 512 minima of 512 hash functions over the shingles of a text.
#include <algorithm>
#include <bit>

#include "picochat/base/digest.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/dedup.hpp"
#include "picochat/corpus/document.hpp"

namespace picochat::corpus {
namespace {

constexpr int kHashes = DocumentSketch::kHashes;

constexpr uint64_t mix(uint64_t x) {  // the finalizer of SplitMix64
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// h_i(x) = a_i x + b_i modulo 2^32, a_i odd: a permutation of the shingles' own 32-bit hashes.
struct Permutations {
  alignas(64) uint32_t a[kHashes], b[kHashes];
};
constexpr Permutations make_permutations() {
  Permutations p{};
  for (int i = 0; i < kHashes; ++i) {
    const uint64_t bits = mix(0x9E3779B97F4A7C15u * static_cast<uint64_t>(i + 1));
    p.a[i] = static_cast<uint32_t>(bits >> 32) | 1u;
    p.b[i] = static_cast<uint32_t>(bits);
  }
  return p;
}
constexpr Permutations kPermutations = make_permutations();

#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define PICOCHAT_BEST_VECTORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define PICOCHAT_BEST_VECTORS
#endif

// The inner loops are over blocks that stay in registers while all shingles pass.
PICOCHAT_BEST_VECTORS void minima_of(const uint32_t* shingles, size_t count, uint32_t* minima) {
  constexpr int kBlock = 64;
  for (int block = 0; block < kHashes; block += kBlock) {
    uint32_t least[kBlock];
    for (int i = 0; i < kBlock; ++i) least[i] = UINT32_MAX;
    for (size_t s = 0; s < count; ++s) {
      const uint32_t x = shingles[s];
      for (int i = 0; i < kBlock; ++i) {
        const uint32_t value = kPermutations.a[block + i] * x + kPermutations.b[block + i];
        least[i] = least[i] < value ? least[i] : value;
      }
    }
    for (int i = 0; i < kBlock; ++i) minima[block + i] = least[i];
  }
}

// Thai to Myanmar, Khmer, and everything from the CJK radicals to the end of the ideographs.
bool written_without_spaces(char32_t c) {
  return (c >= 0x0E00 && c <= 0x0EFF) || (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF) || (c >= 0x2E80 && c <= 0xA4CF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

uint64_t word_hash(std::string_view word) { return base::hash64(word, 0x77); }

// `word` holds no ASCII white space; most hold no wide characters either.
void add_words(std::string_view word, std::vector<uint64_t>& words) {
  const bool narrow = std::none_of(word.begin(), word.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xE0; });
  if (narrow) return words.push_back(word_hash(word));
  size_t begin = 0;
  for (size_t i = 0; i < word.size();) {
    const base::CodePoint point = base::decode_utf8(word, i);
    if (point.valid && written_without_spaces(point.value)) {
      if (begin < i) words.push_back(word_hash(word.substr(begin, i - begin)));
      words.push_back(word_hash(word.substr(i, point.length)));
      begin = i + point.length;
    }
    i += point.length;
  }
  if (begin < word.size()) words.push_back(word_hash(word.substr(begin)));
}

void split_words(std::string_view text, std::vector<uint64_t>& words) {
  words.clear();
  while (!text.empty()) {
    const size_t space = text.find(' ');
    if (space != 0) add_words(text.substr(0, space), words);
    if (space == std::string_view::npos) break;
    text.remove_prefix(space + 1);
  }
}

void make_shingles(const std::vector<uint64_t>& words, std::vector<uint32_t>& shingles) {
  constexpr uint64_t kFactor = 0x9FB21C651E98DF25u;
  const size_t length = std::min<size_t>(kShingleWords, words.size());
  shingles.clear();
  for (size_t i = 0; i + length <= words.size(); ++i) {
    uint64_t h = length;
    for (size_t k = 0; k < length; ++k) h = h * kFactor + words[i + k];
    shingles.push_back(static_cast<uint32_t>(mix(h)));
    if (length == 0) break;
  }
}

}  // namespace

DocumentSketch Sketcher::sketch(std::string_view text) {
  normalized_.clear();
  append_normalized(normalized_, text);
  return sketch_normalized(normalized_);
}

DocumentSketch Sketcher::sketch_normalized(std::string_view normalized_text) {
  split_words(normalized_text, words_);
  make_shingles(words_, shingles_);
  alignas(64) uint32_t minima[kHashes];
  minima_of(shingles_.data(), shingles_.size(), minima);
  DocumentSketch sketch;
  for (int band = 0; band < DocumentSketch::kBands; ++band) {
    uint64_t key = static_cast<uint64_t>(band) + 1;
    for (int row = 0; row < DocumentSketch::kBandRows; ++row) key = mix(key * 0x9E3779B97F4A7C15u + minima[band * DocumentSketch::kBandRows + row]);
    sketch.bands[static_cast<size_t>(band)] = key;
  }
  // Of every minimum four bits that the multiplication has mixed well. (Low bits of a x + b know little of x.)
  for (size_t i = 0; i < kHashes; ++i) sketch.values[i / 16] |= (mix(minima[i]) & 15) << (4 * (i % 16));
  return sketch;
}

double estimated_similarity(const DocumentSketch& a, const DocumentSketch& b) {
  constexpr uint64_t kOnes = 0x1111111111111111u;
  int equal = 0;
  for (size_t i = 0; i < a.values.size(); ++i) {
    uint64_t differ = a.values[i] ^ b.values[i];
    differ |= differ >> 2;
    differ |= differ >> 1;
    equal += 16 - std::popcount(differ & kOnes);
  }
  // Different minima agree in four bits once in sixteen times.
  constexpr double kChance = 1.0 / 16;
  const double agree = static_cast<double>(equal) / kHashes;
  return std::max(0.0, (agree - kChance) / (1 - kChance));
}

}  // namespace picochat::corpus
