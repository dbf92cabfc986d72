// The one rule of what a word is when texts are compared: in prompt similarity, and in the pass of the
// contamination check over whole corpora (hence a template over the sink, and a quick way for ASCII).
//
// A word is a run of letters and digits of any script, lower-cased. Scripts written without spaces
// (Han, kana, Thai, ...) give one word a character. An apostrophe inside a word and a comma inside a
// number vanish ("what's" = "whats", 1,234 = 1234). An arithmetic sign beside a number is a word, so
// that 3 + 4 and 3 - 4 differ; "8x5" and "8 x 5" are equal. Everything else separates.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "picochat/base/unicode.hpp"

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

// Letters of scripts that put no spaces between words.
constexpr bool stands_alone(char32_t c) {
  return (c >= 0x0E00 && c <= 0x0EFF) || (c >= 0x1000 && c <= 0x109F) || (c >= 0x1780 && c <= 0x17FF) ||
         (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x20000 && c <= 0x3FFFF);
}

// Accents and vowel signs: part of the letter before them.
constexpr bool is_mark(char32_t c) { return (c >= 0x300 && c <= 0x36F) || (c >= 0x900 && c <= 0xDFF); }

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Whether the nearest character that is not a blank, before or after position i, is a digit.
constexpr bool beside_number(std::string_view text, size_t i, size_t length) {
  size_t before = i;
  while (before > 0 && text[before - 1] == ' ') --before;
  if (before > 0 && is_digit(text[before - 1])) return true;
  size_t after = i + length;
  while (after < text.size() && text[after] == ' ') ++after;
  return after < text.size() && is_digit(text[after]);
}

}  // namespace word_scan

// Calls sink.begin(offset), sink.put(byte) for each byte of the lower-cased word, and
// sink.end(offset, is_number) once per word; offsets are bytes of `text`. Signs count as numbers.
template <typename Sink>
void scan_words(std::string_view text, Sink&& sink) {
  using namespace word_scan;
  bool inside = false, number = false;
  auto close = [&](size_t at) {
    if (inside) sink.end(at, number);
    inside = false;
  };
  auto open = [&](size_t at) {
    if (inside) return;
    sink.begin(at);
    inside = number = true;
  };
  auto sign = [&](size_t at, size_t length, char as) {
    close(at);
    sink.begin(at);
    sink.put(as);
    sink.end(at + length, true);
  };
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    switch (kTables.kind[c]) {
      case kLetter:
        open(i);
        number = false;
        sink.put(kTables.lower[c]);
        ++i;
        continue;
      case kDigit:
        open(i);
        sink.put(static_cast<char>(c));
        ++i;
        continue;
      case kSeparator:
        close(i);
        ++i;
        continue;
      default: break;
    }
    if (c < 128) {
      bool digit_before = i > 0 && is_digit(text[i - 1]), digit_after = i + 1 < text.size() && is_digit(text[i + 1]);
      if (c == 'x' || c == 'X') {
        if (digit_before && digit_after) {
          sign(i, 1, 'x');
        } else {
          open(i);
          number = false;
          sink.put('x');
        }
      } else if (c == '\'') {
        // Inside a word it vanishes; beside one the next byte ends the word anyway.
      } else if (c == ',') {
        if (!(inside && digit_before && digit_after)) close(i);
      } else if (beside_number(text, i, 1)) {
        sign(i, 1, static_cast<char>(c));
      } else {
        close(i);
      }
      ++i;
      continue;
    }
    base::CodePoint point = base::decode_utf8(text, i);
    size_t next = i + point.length;
    if (point.value == U'\u00D7' || point.value == U'\u00F7') {
      if (beside_number(text, i, point.length)) sign(i, point.length, point.value == U'\u00D7' ? 'x' : '/');
      else close(i);
    } else if (point.value == U'\u2019') {
      // An apostrophe.
    } else {
      base::CharClass kind = point.valid ? base::char_class(point.value) : base::CharClass::kOther;
      bool letter = kind == base::CharClass::kLetter || kind == base::CharClass::kNumber;
      if (!letter && !(inside && is_mark(point.value))) {
        close(i);
      } else {
        bool alone = stands_alone(point.value);
        if (alone) close(i);
        open(i);
        number = false;
        char32_t lower = base::to_lower(point.value);
        // The bytes of the lower-cased code point.
        if (lower < 0x80) {
          sink.put(static_cast<char>(lower));
        } else if (lower < 0x800) {
          sink.put(static_cast<char>(0xC0 | lower >> 6));
          sink.put(static_cast<char>(0x80 | (lower & 0x3F)));
        } else if (lower < 0x10000) {
          sink.put(static_cast<char>(0xE0 | lower >> 12));
          sink.put(static_cast<char>(0x80 | (lower >> 6 & 0x3F)));
          sink.put(static_cast<char>(0x80 | (lower & 0x3F)));
        } else {
          sink.put(static_cast<char>(0xF0 | lower >> 18));
          sink.put(static_cast<char>(0x80 | (lower >> 12 & 0x3F)));
          sink.put(static_cast<char>(0x80 | (lower >> 6 & 0x3F)));
          sink.put(static_cast<char>(0x80 | (lower & 0x3F)));
        }
        if (alone) close(next);
      }
    }
    i = next;
  }
  close(text.size());
}

}  // namespace picochat::tasks
