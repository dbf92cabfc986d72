// Words of a corpus at memory speed. 64 bytes at a time are classified with vector compares into bit masks:
// what belongs to a word, and what is complex (needs a look at its neighbours, or is not ASCII). The
// edges of the first mask are the words. A word without a complex byte is letters and digits: one load, one mask and a
// hash. The others go through the plain scanner of tasks/word_scan.hpp.
#include "honesty/words.hpp"

#include <emmintrin.h>

#include <array>
#include <bit>
#include <cstring>

namespace picochat::honesty {
namespace {

constexpr size_t kBlock = 64;
constexpr size_t kWindowEdges = 2048;  // words are hashed in portions that stay in the first cache

struct Masks {
  uint64_t word, complex;
};

// Bit masks of one block, by bytes equal to or within bounds.
struct Classifier {
  __m128i bytes[4];

  explicit Classifier(const char* p) {
    for (size_t i = 0; i < 4; ++i) bytes[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p) + i);
  }
  template <typename Test>
  uint64_t mask(Test test) const {
    uint64_t out = 0;
    for (size_t i = 0; i < 4; ++i) out |= static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(test(bytes[i])))) << (16 * i);
    return out;
  }
  static __m128i all(int value) { return _mm_set1_epi8(static_cast<char>(value)); }
  // low <= byte <= high, unsigned.
  static __m128i within(__m128i v, int low, int high) {
    const __m128i shifted = _mm_sub_epi8(v, all(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(shifted, all(high - low)), shifted);
  }
  static __m128i equal(__m128i v, int value) { return _mm_cmpeq_epi8(v, all(value)); }
};

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || static_cast<unsigned char>(c) >= 128; }

// before, after: the bytes around the block, 0 where there is none.
Masks classify(const char* p, char before, char after) {
  const Classifier block(p);
  using C = Classifier;
  const uint64_t digit = block.mask([](__m128i v) { return C::within(v, '0', '9'); });
  const uint64_t letter = block.mask([](__m128i v) { return C::within(_mm_or_si128(v, C::all(0x20)), 'a', 'z'); });
  const uint64_t other = block.mask([](__m128i v) { return v; });  // the top bit: not ASCII
  const uint64_t special = block.mask([](__m128i v) {
    // ' * + , - /   < = >   ^
    const __m128i low = _mm_andnot_si128(C::equal(v, '.'), C::within(v, '*', '/'));
    return _mm_or_si128(_mm_or_si128(low, C::within(v, '<', '>')), _mm_or_si128(C::equal(v, '\''), C::equal(v, '^')));
  });
  const uint64_t x = block.mask([](__m128i v) { return C::equal(_mm_or_si128(v, C::all(0x20)), 'x'); });

  // A byte that is not ASCII may belong to a wide digit: the plain scanner tells.
  auto may_be_digit = [](char c) { return tasks::word_scan::is_digit(c) || static_cast<unsigned char>(c) >= 128; };
  const uint64_t digit_before = (digit | other) << 1 | static_cast<uint64_t>(may_be_digit(before));
  const uint64_t digit_after = (digit | other) >> 1 | static_cast<uint64_t>(may_be_digit(after)) << 63;
  Masks out;
  out.complex = other | (x & digit_before & digit_after);
  out.word = letter | digit | other;
  if (special != 0) {
    const uint64_t apostrophe = block.mask([](__m128i v) { return C::equal(v, '\''); });
    const uint64_t comma = block.mask([](__m128i v) { return C::equal(v, ','); });
    const uint64_t sign = special & ~apostrophe & ~comma;
    // Beside blanks (of any script, so beside any byte that is not ASCII) only the plain scanner can tell.
    const uint64_t blank = other | block.mask([](__m128i v) { return _mm_or_si128(C::equal(v, ' '), C::within(v, '\t', '\r')); });
    const uint64_t beside_blank = blank << 1 | static_cast<uint64_t>(is_blank(before)) | blank >> 1 | static_cast<uint64_t>(is_blank(after)) << 63;
    const uint64_t matters = apostrophe | (comma & digit_before & digit_after) | (sign & (digit_before | digit_after | beside_blank));
    out.complex |= matters;
    out.word |= matters;
  }
  return out;
}

uint64_t load_bytes(const char* p, size_t count) {
  uint64_t piece = 0;
  std::memcpy(&piece, p, count);
  return piece;
}

}  // namespace

struct WordHashes::Sink {
  WordHashes& out;
  WordHash hash{};
  uint64_t piece = 0;
  size_t length = 0;

  void begin(size_t at) {
    out.begins_.push_back(static_cast<uint32_t>(at));
    hash = {};
    piece = length = 0;
  }
  void put(char c) {
    piece |= static_cast<uint64_t>(static_cast<unsigned char>(c)) << (8 * (length % 8));
    if (++length % 8 == 0) hash.add(piece), piece = 0;
  }
  void end(size_t, bool number) {
    if (number) out.numbers_.push_back(static_cast<uint32_t>(out.hashes_.size()));
    if (length % 8 != 0) hash.add(piece);
    out.hashes_.push_back(hash.finish(length));
  }
};

void WordHashes::clear(size_t end) {
  hashes_.clear();
  begins_.clear();
  numbers_.clear();
  end_ = end;
}

void WordHashes::assign(std::string_view text) {
  clear(text.size());
  tasks::scan_words(text, Sink{*this});
}

// Letters and digits alone: setting bit 5 lower-cases the ones and leaves the others.
void WordHashes::hash_simple_word(std::string_view text, size_t begin, size_t end) {
  constexpr uint64_t kLower = 0x2020202020202020u;
  const char* p = text.data() + begin;
  const size_t length = end - begin;
  size_t left = length;
  WordHash hash;
  for (; left >= 8; left -= 8, p += 8) hash.add(load_bytes(p, 8) | kLower);
  if (left > 0) {
    const uint64_t mask = ~uint64_t{0} >> (8 * (8 - left));
    // Eight bytes may be read wherever eight are left of the text.
    const size_t at = end - left;
    const uint64_t piece = at + 8 <= text.size() ? load_bytes(p, 8) : load_bytes(p, left);
    hash.add((piece | kLower) & mask);
  }
  begins_.push_back(static_cast<uint32_t>(begin));
  hashes_.push_back(hash.finish(length));
}

void WordHashes::scan(std::string_view text, size_t begin, size_t end) {
  clear(end);
  edges_.resize(kWindowEdges + kBlock + 1);
  complex_.resize(kWindowEdges + 2 * kBlock);
  size_t num_edges = 0, num_complex = 0;
  size_t resume = begin;  // the plain scanner has read up to here
  bool inside = false;

  // Hashes the words whose two edges are known; a last one whose end is not known stays.
  auto flush = [&] {
    size_t c = 0;
    const size_t whole = num_edges & ~size_t{1};
    for (size_t k = 0; k < whole; k += 2) {
      const size_t from = edges_[k], to = edges_[k + 1];
      if (from < resume) continue;
      while (c < num_complex && complex_[c] < from) ++c;
      if (c < num_complex && complex_[c] < to) resume = tasks::scan_words(text, from, to, Sink{*this});
      else hash_simple_word(text, from, to);
    }
    // Of an open word it is kept where it begins, and whether it is complex.
    const bool open = whole < num_edges;
    if (open) {
      const uint32_t from = edges_[whole];
      while (c < num_complex && complex_[c] < from) ++c;
      const bool open_is_complex = c < num_complex;
      edges_[0] = complex_[0] = from;
      num_complex = open_is_complex;
    } else {
      num_complex = 0;
    }
    num_edges = open;
  };

  for (size_t at = begin; at < end; at += kBlock) {
    const size_t length = std::min(kBlock, end - at);
    const char before = at > 0 ? text[at - 1] : '\0', after = at + kBlock < text.size() ? text[at + kBlock] : '\0';
    Masks masks;
    if (length == kBlock) {
      masks = classify(text.data() + at, before, after);
    } else {
      // What follows `end` in the text is looked at, and cut off after.
      std::array<char, kBlock> last{};
      std::memcpy(last.data(), text.data() + at, std::min(kBlock, text.size() - at));
      masks = classify(last.data(), before, after);
      const uint64_t mine = ~uint64_t{0} >> (kBlock - length);
      masks.word &= mine;
      masks.complex &= mine;
    }
    uint64_t edges = masks.word ^ (masks.word << 1 | static_cast<uint64_t>(inside));
    inside = masks.word >> 63;
    for (; edges != 0; edges &= edges - 1) edges_[num_edges++] = static_cast<uint32_t>(at + static_cast<size_t>(std::countr_zero(edges)));
    for (uint64_t complex = masks.complex; complex != 0; complex &= complex - 1)
      complex_[num_complex++] = static_cast<uint32_t>(at + static_cast<size_t>(std::countr_zero(complex)));
    if (num_edges >= kWindowEdges || num_complex >= kWindowEdges) flush();
  }
  if (num_edges % 2 != 0) edges_[num_edges++] = static_cast<uint32_t>(end);
  flush();
}

}  // namespace picochat::honesty
