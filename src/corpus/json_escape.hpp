// JSON string escaping, 16 bytes at a time: most of a text needs none.
#pragma once

#include <cstddef>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace picochat::corpus {

inline constexpr size_t kEscapeGrowth = 6;   // "\u0000" for one byte
inline constexpr size_t kEscapeSlack = 16;   // written past the end

// The escape of one byte that needs it; returns the end.
inline char* escape_byte(char* out, unsigned char c) {
  constexpr char kHex[] = "0123456789abcdef";
  *out++ = '\\';
  switch (c) {
    case '"':
    case '\\': *out++ = static_cast<char>(c); return out;
    case '\n': *out++ = 'n'; return out;
    case '\r': *out++ = 'r'; return out;
    case '\t': *out++ = 't'; return out;
    case '\b': *out++ = 'b'; return out;
    case '\f': *out++ = 'f'; return out;
    default:
      for (char each : {'u', '0', '0', kHex[c >> 4], kHex[c & 15]}) *out++ = each;
      return out;
  }
}

// Writes `text` (valid UTF-8) without quotes; returns the end. `out` needs room for
// kEscapeGrowth * text.size() + kEscapeSlack bytes.
inline char* escape_json(char* out, std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
#if defined(__SSE2__)
  const __m128i control = _mm_set1_epi8(31), quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
  while (end - at >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), bytes);
    const __m128i special = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes),
                                         _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)));
    const int mask = _mm_movemask_epi8(special);
    if (mask == 0) {
      at += 16, out += 16;
      continue;
    }
    const int plain = __builtin_ctz(static_cast<unsigned>(mask));
    at += plain, out += plain;
    out = escape_byte(out, static_cast<unsigned char>(*at++));
  }
#endif
  for (; at < end; ++at) {
    const auto c = static_cast<unsigned char>(*at);
    if (c >= 32 && c != '"' && c != '\\') *out++ = static_cast<char>(c);
    else out = escape_byte(out, c);
  }
  return out;
}

}  // namespace picochat::corpus
