// The one rule of what a word is when texts are compared: in prompt similarity, and in the pass of the
// contamination check over whole corpora (which has a quick way for ASCII and comes here for the rest).
//
// A word is a run of letters and digits of any script, folded (base/unicode_fold.hpp): case, accents, wide forms
// and ligatures make no difference, invisible characters none either. Scripts written without spaces (Han, kana,
// Thai, ...) give one word a character. An apostrophe inside a word and a comma inside a number vanish
// ("what's" = "whats", 1,234 = 1234); a hyphen at the end of a line joins the word that it divides. An arithmetic
// sign beside a number is a word, so that 3 + 4 and 3 - 4 differ; "8x5" and "8 x 5" are equal. Everything else separates.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "picochat/base/unicode.hpp"
#include "picochat/base/unicode_fold.hpp"

namespace picochat::tasks {

namespace word_scan {

enum Kind : uint8_t { kSeparator, kLetter, kDigit, kSpecial };

struct Tables {
  std::array<uint8_t, 256> kind{};
  std::array<char, 256> lower{};
};

constexpr Tables make_tables() {
  Tables t;
  for (int c = 0; c < 256; ++c) {
    t.lower[static_cast<size_t>(c)] = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) t.kind[static_cast<size_t>(c)] = kLetter;
    if (c >= '0' && c <= '9') t.kind[static_cast<size_t>(c)] = kDigit;
    if (c >= 128) t.kind[static_cast<size_t>(c)] = kSpecial;
  }
  for (char c : {'\'', ',', '+', '-', '*', '/', '=', '<', '>', '^', 'x', 'X'}) t.kind[static_cast<unsigned char>(c)] = kSpecial;
  return t;
}
inline constexpr Tables kTables = make_tables();

constexpr bool is_separator(char c) { return kTables.kind[static_cast<unsigned char>(c)] == kSeparator; }

// Letters of scripts that put no spaces between words.
constexpr bool stands_alone(char32_t c) {
  return (c >= 0x0E00 && c <= 0x0EFF) || (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF) ||
         (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x20000 && c <= 0x3FFFF);
}

// Vowel signs that folding keeps: part of the letter before them.
constexpr bool is_mark(char32_t c) { return c >= 0x900 && c <= 0xDFF; }

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
// Bytes of the blank that ends before, or begins at, position i: white space, and the spaces that are not ASCII. 0: none.
// Line ends count when `across_lines`.
constexpr size_t blank_before(std::string_view text, size_t i, bool across_lines) {
  if (i == 0) return 0;
  const char c = text[i - 1];
  if (c == ' ' || c == '\t' || (across_lines && (c == '\n' || c == '\r'))) return 1;
  if (i >= 2 && text.substr(i - 2, 2) == "\xC2\xA0") return 2;
  if (i < 3) return 0;
  const std::string_view three = text.substr(i - 3, 3);
  return three == "\xE3\x80\x80" || (three.starts_with("\xE2\x80") && static_cast<unsigned char>(three[2]) - 0x80u <= 0x0Au) || three == "\xE2\x80\xAF" ? 3 : 0;
}
constexpr size_t blank_after(std::string_view text, size_t i, bool across_lines) {
  for (size_t length = 1; length <= 3 && i + length <= text.size(); ++length)
    if (blank_before(text.substr(0, i + length), i + length, across_lines) == length) return length;
  return 0;
}

// A digit that ends before position i, or begins there: ASCII, or the wide form that folds to it.
constexpr bool is_wide_digit(std::string_view three) {
  return three.starts_with("\xEF\xBC") && static_cast<unsigned char>(three[2]) - 0x90u <= 9u;
}
constexpr bool digit_before(std::string_view text, size_t i) { return i > 0 && (is_digit(text[i - 1]) || (i >= 3 && is_wide_digit(text.substr(i - 3, 3)))); }
constexpr bool digit_after(std::string_view text, size_t i) { return i < text.size() && (is_digit(text[i]) || (i + 3 <= text.size() && is_wide_digit(text.substr(i, 3)))); }

// Whether the '>' at i begins a line, as the quotation marks of a mail do; others may stand before it.
constexpr bool quotes_a_line(std::string_view text, size_t i) {
  if (text[i] != '>') return false;
  while (i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\t' || text[i - 1] == '>')) --i;
  return i == 0 || text[i - 1] == '\n' || text[i - 1] == '\r';
}

// Whether the nearest character that is no blank, before or after the sign at i, is a digit. Signs that begin the items of
// a list do not reach over the end of a line.
constexpr bool beside_number(std::string_view text, size_t i, size_t length) {
  if (quotes_a_line(text, i)) return false;
  const bool across_lines = text[i] != '-' && text[i] != '*';
  size_t before = i;
  while (size_t blank = blank_before(text, before, across_lines)) before -= blank;
  if (digit_before(text, before)) return true;
  size_t after = i + length;
  while (size_t blank = blank_after(text, after, across_lines)) after += blank;
  return digit_after(text, after);
}

// Where the word goes on that the hyphen at i divides: after the line's end and the blanks that begin the
// next. 0: it divides none.
constexpr size_t after_line_hyphen(std::string_view text, size_t i) {
  if (i == 0 || kTables.kind[static_cast<unsigned char>(text[i - 1])] == kSeparator || is_digit(text[i - 1])) return 0;
  size_t at = i + 1;
  if (at < text.size() && text[at] == '\r') ++at;
  if (at >= text.size() || text[at] != '\n') return 0;
  for (++at; at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '>'); ++at) {  // '>': a quoted mail
  }
  const bool letter = at < text.size() && ((text[at] >= 'a' && text[at] <= 'z') || static_cast<unsigned char>(text[at]) >= 128);
  return letter ? at : 0;
}

template <typename Sink>
void put_utf8(Sink& sink, char32_t c) {
  if (c < 0x80) return sink.put(static_cast<char>(c));
  if (c < 0x800) {
    sink.put(static_cast<char>(0xC0 | c >> 6));
  } else {
    if (c < 0x10000) {
      sink.put(static_cast<char>(0xE0 | c >> 12));
    } else {
      sink.put(static_cast<char>(0xF0 | c >> 18));
      sink.put(static_cast<char>(0x80 | (c >> 12 & 0x3F)));
    }
    sink.put(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
  }
  sink.put(static_cast<char>(0x80 | (c & 0x3F)));
}

}  // namespace word_scan

// The words that begin in [begin, end) of `text`; what lies around that range is looked at, so that a text cut
// where no word is cut gives the words of the whole. Calls sink.begin(offset), sink.put(byte) for each byte
// of the folded word, and sink.end(offset, is_number) once per word; offsets are bytes of `text`. Signs
// count as numbers. Returns where it stopped: `end`, or the end of a last word that a line's end divides.
template <typename Sink>
size_t scan_words(std::string_view text, size_t begin, size_t end, Sink&& sink) {
  using namespace word_scan;
  bool inside = false, number = false;
  size_t word_end = begin;  // after the last character of the open word
  auto close = [&] {
    if (inside) sink.end(word_end, number);
    inside = false;
  };
  auto letter = [&](size_t at, size_t next, char32_t c, bool digit) {
    if (!inside) sink.begin(at), inside = number = true;
    number = number && digit;
    put_utf8(sink, c);
    word_end = next;
  };
  auto sign = [&](size_t at, size_t next, char as) {
    close();
    sink.begin(at);
    sink.put(as);
    sink.end(next, true);
  };
  size_t i = begin;
  while (i < end) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (kTables.kind[byte] == kLetter || kTables.kind[byte] == kDigit) {
      letter(i, i + 1, static_cast<char32_t>(static_cast<unsigned char>(kTables.lower[byte])), kTables.kind[byte] == kDigit);
      ++i;
    } else if (kTables.kind[byte] == kSeparator) {
      close();
      ++i;
    } else if (byte < 128) {
      const bool between_digits = digit_before(text, i) && digit_after(text, i + 1);
      if (c == 'x' || c == 'X') {
        if (between_digits) sign(i, i + 1, 'x');
        else letter(i, i + 1, U'x', false);
      } else if (c == '\'') {
        // Inside a word it vanishes; beside one the next byte ends the word anyway.
      } else if (c == ',') {
        if (!(inside && between_digits)) close();
      } else if (size_t next = c == '-' && inside ? after_line_hyphen(text, i) : 0) {
        // The word goes on in the next line, even past `end`.
        i = next;
        while (end < text.size() && end <= i) {
          end = i;
          while (end < text.size() && !is_separator(text[end])) ++end;
        }
        continue;
      } else if (beside_number(text, i, 1)) {
        sign(i, i + 1, c);
      } else {
        close();
      }
      ++i;
    } else {
      const base::CodePoint point = base::decode_utf8(text, i);
      const size_t next = i + point.length;
      if (point.value == U'\u00D7' || point.value == U'\u00F7' || point.value == U'\u2212') {
        const char as = point.value == U'\u00D7' ? 'x' : point.value == U'\u00F7' ? '/' : '-';
        if (beside_number(text, i, point.length)) sign(i, next, as);
        else close();
      } else if (!point.valid) {
        close();
      } else if (point.value != U'\u2019') {  // an apostrophe
        base::FoldBuffer buffer;
        for (char32_t folded : base::fold_code_point(point.value, buffer)) {
          const base::CharClass kind = base::char_class(folded);
          const bool is_letter = kind == base::CharClass::kLetter || kind == base::CharClass::kNumber;
          if (!is_letter && !(inside && is_mark(folded))) {
            close();
            continue;
          }
          const bool alone = stands_alone(folded);
          if (alone) close();
          letter(i, next, folded, folded < 0x80 && is_digit(static_cast<char>(folded)));
          if (alone) close();
        }
      }
      i = next;
    }
  }
  close();
  return i;
}

template <typename Sink>
void scan_words(std::string_view text, Sink&& sink) {
  scan_words(text, 0, text.size(), sink);
}

}  // namespace picochat::tasks
