#include "eval/words.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "picochat/base/unicode.hpp"

namespace picochat::eval {
namespace {

struct Range {
  char32_t first, last;
};

bool within(char32_t c, const Range* begin, const Range* end) {
  const Range* range = std::upper_bound(begin, end, c, [](char32_t value, const Range& r) { return value < r.first; });
  return range != begin && c <= (range - 1)->last;
}

// Signs that belong to the letter before them. Splitting there would make different words equal.
constexpr std::array kMarks = {
    Range{0x300, 0x36F},   Range{0x483, 0x489},   Range{0x591, 0x5BD},   Range{0x5BF, 0x5BF},   Range{0x5C1, 0x5C2},
    Range{0x5C4, 0x5C5},   Range{0x5C7, 0x5C7},   Range{0x610, 0x61A},   Range{0x64B, 0x65F},   Range{0x670, 0x670},
    Range{0x6D6, 0x6DC},   Range{0x6DF, 0x6E4},   Range{0x6E7, 0x6E8},   Range{0x6EA, 0x6ED},   Range{0x711, 0x711},
    Range{0x730, 0x74A},   Range{0x900, 0x903},   Range{0x93A, 0x94F},   Range{0x951, 0x957},   Range{0x962, 0x963},
    Range{0x981, 0x983},   Range{0x9BC, 0x9D7},   Range{0x9E2, 0x9E3},   Range{0xA01, 0xA03},   Range{0xA3C, 0xA51},
    Range{0xA70, 0xA71},   Range{0xA75, 0xA75},   Range{0xA81, 0xA83},   Range{0xABC, 0xACD},   Range{0xAE2, 0xAE3},
    Range{0xB01, 0xB03},   Range{0xB3C, 0xB57},   Range{0xB62, 0xB63},   Range{0xB82, 0xB82},   Range{0xBBE, 0xBD7},
    Range{0xC00, 0xC04},   Range{0xC3C, 0xC56},   Range{0xC62, 0xC63},   Range{0xC81, 0xC83},   Range{0xCBC, 0xCD6},
    Range{0xCE2, 0xCE3},   Range{0xD00, 0xD03},   Range{0xD3B, 0xD4D},   Range{0xD57, 0xD57},   Range{0xD62, 0xD63},
    Range{0xD81, 0xD83},   Range{0xDCA, 0xDDF},   Range{0xF18, 0xF19},   Range{0xF35, 0xF39},   Range{0xF71, 0xF84},
    Range{0x135D, 0x135F}, Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF}, Range{0x200C, 0x200D}, Range{0x20D0, 0x20FF},
    Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F}};

// Written without spaces between words: one word a character.
constexpr std::array kUnspaced = {Range{0x0E00, 0x0EFF}, Range{0x1000, 0x109F}, Range{0x1780, 0x17FF}, Range{0x3005, 0x3007},
                                  Range{0x3040, 0x30FF}, Range{0x31F0, 0x31FF}, Range{0x3400, 0x4DBF}, Range{0x4E00, 0x9FFF},
                                  Range{0xF900, 0xFAFF}, Range{0xFF66, 0xFF9F}, Range{0x20000, 0x323AF}};

enum class Kind { kSeparator, kWord, kAlone };

Kind kind_of(char32_t c) {
  if (c < 0x80) {
    bool word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return word ? Kind::kWord : Kind::kSeparator;
  }
  auto cls = base::char_class(c);
  if (cls == base::CharClass::kSpace) return Kind::kSeparator;
  const bool word = cls == base::CharClass::kLetter || cls == base::CharClass::kNumber;
  if (within(c, kUnspaced.data(), kUnspaced.data() + kUnspaced.size()))
    return word || (c < 0x1800 && c != 0xE2F && c != 0xE5A && c != 0xE5B && c != 0x104A && c != 0x104B) ? Kind::kAlone : Kind::kSeparator;
  if (word || within(c, kMarks.data(), kMarks.data() + kMarks.size())) return Kind::kWord;
  return Kind::kSeparator;
}

bool digit(std::string_view text, size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; }

size_t skip_digits(std::string_view text, size_t at) {
  while (digit(text, at)) ++at;
  return at;
}

// Appends the number at text[at] in one spelling: no thousands separators, no zeros at the end of
// its decimals. Returns where it ends. "1.2.3" is a version or address and stays as it is.
size_t append_number(std::string& out, std::string_view text, size_t at) {
  size_t end = skip_digits(text, at);
  out.append(text.substr(at, end - at));
  while (end - at <= 3 + 4 * 8 && end < text.size() && text[end] == ',' && skip_digits(text, end + 1) == end + 4) {
    out.append(text.substr(end + 1, 3));
    end += 4;
  }
  if (end >= text.size() || text[end] != '.' || !digit(text, end + 1)) return end;
  size_t fraction = skip_digits(text, end + 1);
  if (fraction < text.size() && text[fraction] == '.' && digit(text, fraction + 1)) {
    while (end < text.size() && text[end] == '.' && digit(text, end + 1)) {
      size_t next = skip_digits(text, end + 1);
      out.append(text.substr(end, next - end));
      end = next;
    }
    return end;
  }
  std::string_view decimals = text.substr(end + 1, fraction - end - 1);
  size_t kept = decimals.find_last_not_of('0');
  if (kept != std::string_view::npos) out.append(".").append(decimals.substr(0, kept + 1));
  return fraction;
}

// A '-' before a digit is a sign at the start, after a space or after an opening mark; between words it joins them.
bool sign_position(std::string_view text, size_t at) {
  if (at == 0) return true;
  constexpr std::string_view kBefore = " \t\r\n([{=:$*'\"|<>~";
  return kBefore.find(text[at - 1]) != std::string_view::npos;
}

}  // namespace

std::string fold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      out += byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : static_cast<char>(byte);
      ++i;
      continue;
    }
    auto point = base::decode_utf8(text, i);
    i += point.length;
    switch (point.value) {
      case 0x2018: case 0x2019: case 0x02BC: out += '\''; break;
      case 0x00A0: case 0x202F: out += ' '; break;
      case 0x2212: out += '-'; break;
      default: base::append_utf8(out, base::to_lower(point.value));
    }
  }
  return out;
}

void for_each_word(std::string_view text, const std::function<void(std::string_view)>& word) {
  std::string current;
  auto flush = [&] {
    if (!current.empty()) word(current);
    current.clear();
  };
  for (size_t i = 0; i < text.size();) {
    if (current.empty() && (digit(text, i) || (text[i] == '-' && digit(text, i + 1) && sign_position(text, i)))) {
      if (text[i] == '-') current += text[i++];
      i = append_number(current, text, i);
      continue;
    }
    auto point = base::decode_utf8(text, i);
    Kind kind = point.valid ? kind_of(point.value) : Kind::kSeparator;
    if (kind == Kind::kWord) {
      current.append(text.substr(i, point.length));
    } else {
      flush();
      if (kind == Kind::kAlone) word(text.substr(i, point.length));
    }
    i += point.length;
  }
  flush();
}

}  // namespace picochat::eval
