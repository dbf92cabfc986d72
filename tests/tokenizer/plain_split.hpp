// The split pattern read literally, one alternative after the other on decoded code points: slow, and
// the oracle of the scanner.
#pragma once

#include <string_view>
#include <vector>

#include "picochat/base/unicode.hpp"

namespace picochat::tokenizer {

inline std::vector<size_t> plain_piece_ends(std::string_view text) {
  using base::CharClass;
  std::vector<char32_t> c;
  std::vector<CharClass> kind;
  std::vector<size_t> offset;
  for (size_t i = 0; i < text.size();) {
    base::CodePoint p = base::decode_utf8(text, i);
    c.push_back(p.value);
    kind.push_back(p.valid ? base::char_class(p.value) : CharClass::kOther);
    offset.push_back(i);
    i += p.length;
  }
  const size_t n = c.size();
  offset.push_back(text.size());
  auto is = [&](size_t i, CharClass k) { return i < n && kind[i] == k; };
  auto line_end = [&](size_t i) { return i < n && (c[i] == '\r' || c[i] == '\n'); };
  auto folds_to = [&](size_t i, char32_t letter) {
    return i < n && (c[i] == letter || c[i] == letter - 32 || (letter == 's' && c[i] == 0x17F));
  };
  // Each alternative: the end of its match at i, or i when it does not match.
  auto contraction = [&](size_t i) {
    if (c[i] != '\'') return i;
    for (char32_t letter : U"sdmt")
      if (letter && folds_to(i + 1, letter)) return i + 2;
    for (const char* two : {"ll", "ve", "re"})
      if (folds_to(i + 1, two[0]) && folds_to(i + 2, two[1])) return i + 3;
    return i;
  };
  auto word = [&](size_t i) {
    size_t j = i;
    if (!line_end(j) && !is(j, CharClass::kLetter) && !is(j, CharClass::kNumber)) ++j;
    if (!is(j, CharClass::kLetter)) return i;
    while (is(j, CharClass::kLetter)) ++j;
    return j;
  };
  auto number = [&](size_t i) { return is(i, CharClass::kNumber) ? i + 1 : i; };
  auto punctuation = [&](size_t i) {
    for (size_t start : {c[i] == ' ' ? i + 1 : i, i}) {  // greedy, then without the space
      size_t j = start;
      while (is(j, CharClass::kOther)) ++j;
      if (j == start) continue;
      while (line_end(j)) ++j;
      return j;
    }
    return i;
  };
  auto spaces = [&](size_t i) {
    size_t j = i;
    while (is(j, CharClass::kSpace)) ++j;
    return j;
  };
  auto up_to_line_end = [&](size_t i) {
    for (size_t j = spaces(i);; --j) {
      if (line_end(j)) return j + 1;
      if (j == i) return i;
    }
  };
  auto not_before_text = [&](size_t i) {
    for (size_t j = spaces(i); j > i; --j)
      if (j == n || is(j, CharClass::kSpace)) return j;
    return i;
  };
  std::vector<size_t> ends;
  for (size_t i = 0; i < n;) {
    size_t end = contraction(i);
    if (end == i) end = word(i);
    if (end == i) end = number(i);
    if (end == i) end = punctuation(i);
    if (end == i) end = up_to_line_end(i);
    if (end == i) end = not_before_text(i);
    if (end == i) end = spaces(i);
    i = end;
    ends.push_back(offset[i]);
  }
  return ends;
}

}  // namespace picochat::tokenizer
