#include "corpus/normalize.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include <immintrin.h>

#include "picochat/base/digest.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/document.hpp"

namespace picochat::corpus {
namespace {

bool is_ascii_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Sixteen bytes in lower case, white space as blanks; which of them are white space, which are not ASCII.
struct Sixteen {
  __m128i lowered;
  uint32_t blanks, beyond_ascii;

  explicit Sixteen(const char* in) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
    auto between = [&](char low, char high) {  // bytes that are not ASCII are negative
      return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(low - 1))), _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(high + 1))));
    };
    const __m128i blank = _mm_or_si128(between('\t', '\r'), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')));
    const __m128i lower = _mm_or_si128(bytes, _mm_and_si128(between('A', 'Z'), _mm_set1_epi8(0x20)));
    lowered = _mm_or_si128(_mm_andnot_si128(blank, lower), _mm_and_si128(blank, _mm_set1_epi8(' ')));
    blanks = static_cast<uint32_t>(_mm_movemask_epi8(blank));
    beyond_ascii = static_cast<uint32_t>(_mm_movemask_epi8(bytes));
  }
};

// Writes the normalised form of some of the next bytes, and moves both pointers past them. space: whether white space
// would be dropped, being first or after white space.
struct Sse2 {
  static constexpr ptrdiff_t kBytes = 32;  // readable at `in` and writable at `out`
  // Stops before the first byte that is not ASCII or would be dropped. Returns whether it took all.
  static bool step(const char*& in, char*& out, uint64_t& space) {
    const Sixteen first(in), second(in + 16);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), first.lowered);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16), second.lowered);
    const uint64_t blanks = first.blanks | uint64_t{second.blanks} << 16, before = blanks << 1 | space;
    const uint64_t stops = first.beyond_ascii | uint64_t{second.beyond_ascii} << 16 | (blanks & before) | uint64_t{1} << kBytes;
    const int taken = std::countr_zero(stops);
    space = before >> taken & 1;
    in += taken, out += taken;
    return taken == kBytes;
  }
};

struct Avx512 {
  static constexpr ptrdiff_t kBytes = 64;
  // Stops before the first byte that may begin capitals or white space beyond ASCII.
  __attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt"))) static bool step(const char*& in, char*& out, uint64_t& space) {
    const __m512i bytes = _mm512_loadu_si512(in);
    auto equal = [&](unsigned char value) __attribute__((target("avx512f,avx512bw"))) { return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(static_cast<char>(value))); };
    auto between = [&](unsigned char low, unsigned char high) __attribute__((target("avx512f,avx512bw"))) {
      return _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8(static_cast<char>(low))), _mm512_set1_epi8(static_cast<char>(high - low)));
    };
    const uint64_t blanks = between('\t', '\r') | equal(' '), capitals = between('A', 'Z');
    // Three bytes from E0, E4 to E9, EB and EC on are letters without case; so are those from E3 on, but for U+3000.
    const uint64_t bytes_80 = equal(0x80), wide_blanks = equal(0xE3) & (bytes_80 >> 1 | uint64_t{1} << 63) & (bytes_80 >> 2 | uint64_t{3} << 62);
    const uint64_t stops = (between(0xC0, 0xFF) & ~(equal(0xE0) | equal(0xE3) | between(0xE4, 0xE9) | between(0xEB, 0xEC))) | wide_blanks;
    const int taken = stops ? std::countr_zero(stops) : kBytes;
    const uint64_t before = blanks << 1 | space, kept = ~(blanks & before) & (stops ? (uint64_t{1} << taken) - 1 : ~uint64_t{0});
    const __m512i lowered = _mm512_mask_mov_epi8(_mm512_mask_add_epi8(bytes, capitals, bytes, _mm512_set1_epi8(0x20)), blanks, _mm512_set1_epi8(' '));
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(kept, lowered));
    space = stops ? before >> taken & 1 : blanks >> 63;
    in += taken, out += std::popcount(kept);
    return taken == kBytes;
  }
};

// Of the code points of three bytes, one bit each: whether they stay as they are, being neither white space nor capitals.
const std::array<uint64_t, 0x10000 / 64>& plain_three_bytes() {
  static const auto table = [] {
    std::array<uint64_t, 0x10000 / 64> out{};
    for (char32_t c = 0x800; c < 0x10000; ++c)
      if ((c < 0xD800 || c > 0xDFFF) && base::char_class(c) != base::CharClass::kSpace && base::to_lower(c) == c) out[c / 64] |= uint64_t{1} << c % 64;
    return out;
  }();
  return table;
}

// Of code points below U+0800: the UTF-8 of its lower case; empty for white space.
struct Lowered {
  char bytes[3];
  uint8_t length;
};
const std::array<Lowered, 0x800>& lowered_two_bytes() {
  static const auto table = [] {
    std::array<Lowered, 0x800> out{};
    for (char32_t c = 0x80; c < 0x800; ++c) {
      if (base::char_class(c) == base::CharClass::kSpace) continue;
      std::string bytes;
      base::append_utf8(bytes, base::to_lower(c));
      bytes.copy(out[c].bytes, 3);
      out[c].length = static_cast<uint8_t>(bytes.size());
    }
    return out;
  }();
  return table;
}

template <typename Wide>
size_t normalize(std::string_view text, char* const begin) {
  const auto& two_bytes = lowered_two_bytes();
  const auto& plain = plain_three_bytes();
  const char* in = text.data();
  const char* const end = in + text.size();
  char* out = begin;
  uint64_t space = 1;  // whether white space would be dropped here: after white space, and at the start
  auto blank = [&] {
    *out = ' ';
    out += !space;
    space = 1;
  };
  while (in < end) {
    if (end - in >= Wide::kBytes && Wide::step(in, out, space)) continue;
    auto c = static_cast<unsigned char>(*in);
    if (c < 0x80) {
      if (space && is_ascii_space(c)) {  // an indentation
        while (in < end && is_ascii_space(static_cast<unsigned char>(*in))) ++in;
        continue;
      }
      space = is_ascii_space(c);
      *out++ = space ? ' ' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      ++in;
      continue;
    }
    // Letters beyond ASCII seldom stand alone; their words are parted by single blanks.
    while (in < end) {
      if (end - in >= 4) {
        uint32_t four;
        std::memcpy(&four, in, 4);  // the first byte is the lowest
        if ((four & 0xC0C0F0) == 0x8080E0) {
          const uint32_t point = (four & 0x0F) << 12 | (four >> 2 & 0xFC0) | (four >> 16 & 0x3F);
          if (plain[point / 64] >> point % 64 & 1) {
            std::memcpy(out, &four, 4);  // what is behind the letter is written over
            in += 3, out += 3;
            space = 0;
            continue;
          }
        } else if ((four & 0xC0E0) == 0x80C0 && (four & 0x1E) != 0) {
          const Lowered& low = two_bytes[(four & 0x1F) << 6 | (four >> 8 & 0x3F)];
          in += 2;
          if (low.length > 0) {
            std::memcpy(out, &low, sizeof low);
            out += low.length;
            space = 0;
          } else {
            blank();
          }
          continue;
        } else if ((four & 0x80FF) == 0x8020) {
          blank();
          ++in;
          continue;
        }
      }
      if (static_cast<unsigned char>(*in) < 0x80) break;
      const auto at = static_cast<size_t>(in - text.data());
      const base::CodePoint point = base::decode_utf8(text, at);
      in += point.length;
      if (point.valid && base::char_class(point.value) == base::CharClass::kSpace) {
        blank();
        continue;
      }
      std::string lowered;
      if (point.valid) base::append_utf8(lowered, base::to_lower(point.value));
      else lowered.assign(text.substr(at, point.length));
      out += lowered.copy(out, lowered.size());
      space = 0;
    }
  }
  if (out > begin && space) --out;
  return static_cast<size_t>(out - begin);
}

// The normalised text, until the next call of this thread.
std::string_view normalized_here(std::string_view text) {
  static thread_local std::vector<char> room;  // only ever grows: clearing it would cost as much as the work
  if (room.size() < room_for_normalized(text.size())) room.resize(room_for_normalized(text.size()));
  return {room.data(), normalizers().front()(text, room.data())};
}

}  // namespace

// Lower-casing may lengthen a code point of two bytes by one (U+023A), and 64 bytes are written at once.
size_t room_for_normalized(size_t text) { return text + text / 2 + 64; }

std::span<const Normalizer> normalizers() {
  static constexpr Normalizer kAll[] = {normalize<Avx512>, normalize<Sse2>};
  static const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2");
  return std::span(kAll).subspan(avx512 ? 0 : 1);
}

void append_normalized(std::string& out, std::string_view text) { out += normalized_here(text); }

uint64_t normalized_hash(std::string_view text, uint64_t seed) { return base::hash64(normalized_here(text), seed); }

uint64_t document_key(std::string_view text, uint64_t seed) { return normalized_hash(text, seed); }

}  // namespace picochat::corpus
