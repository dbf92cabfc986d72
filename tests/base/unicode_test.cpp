#include "picochat/base/unicode.hpp"

#include <gtest/gtest.h>

#include "picochat/base/random.hpp"

namespace picochat::base {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, EveryScalarValueSurvivesTheRoundTrip) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    CodePoint back = decode_utf8(text, 0);
    ASSERT_TRUE(back.valid && back.value == c && back.length == text.size()) << std::hex << static_cast<uint32_t>(c);
  }
}

TEST(Utf8, WhatIsNotAScalarValueIsWrittenAsReplacement) {
  for (char32_t c : {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}}) {
    std::string text;
    append_utf8(text, c);
    EXPECT_EQ(text, "\xEF\xBF\xBD");
  }
}

// The examples of the Unicode standard, section 3.9, and what Python's errors="replace" gives.
TEST(Utf8, InvalidBytesAreReplacedByMaximalSubparts) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(replace_invalid_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(replace_invalid_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(replace_invalid_utf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(replace_invalid_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(replace_invalid_utf8("plain text, longer than a word \xE2\x82"), "plain text, longer than a word " + r);
}

TEST(Utf8, ValidityAndCountsLookBehindLongAsciiRuns) {
  EXPECT_TRUE(is_valid_utf8(""));
  EXPECT_TRUE(is_valid_utf8("0123456789abcdef\xC3\xA9 and \xF0\x9F\x98\x80 then ascii again to the end"));
  EXPECT_FALSE(is_valid_utf8("0123456789abcdef\xC3"));
  EXPECT_FALSE(is_valid_utf8("0123456789abcdef0123\x80"));
  EXPECT_EQ(count_code_points("0123456789\xC3\xA9\xF0\x9F\x98\x80!"), 13u);
  EXPECT_EQ(count_code_points("\xE2\x82"), 1u);
}

TEST(Utf8, ValidityIsThatOfDecodingOnAnyBytes) {
  Random random(5, "utf8");
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (uint64_t i = random.below(6); i > 0; --i) append_utf8(text, static_cast<char32_t>(random.below(0x110000)));
    for (uint64_t i = random.below(3); i > 0 && !text.empty(); --i) text[random.below(text.size())] = static_cast<char>(random.below(256));
    bool decodes = true;
    for (size_t at = 0; at < text.size();) {
      const CodePoint point = decode_utf8(text, at);
      decodes &= point.valid;
      at += point.length;
    }
    ASSERT_EQ(is_valid_utf8(text), decodes) << ::testing::PrintToString(text);
  }
}

TEST(Unicode, ClassesOfTheSplitPattern) {
  EXPECT_EQ(char_class('a'), CharClass::kLetter);
  EXPECT_EQ(char_class(0x4E2D), CharClass::kLetter);
  EXPECT_EQ(char_class(0x0E01), CharClass::kLetter);
  EXPECT_EQ(char_class(0x0E31), CharClass::kOther);   // a combining vowel is a mark
  EXPECT_EQ(char_class('7'), CharClass::kNumber);
  EXPECT_EQ(char_class(0x2167), CharClass::kNumber);  // roman numeral eight
  EXPECT_EQ(char_class(0x0969), CharClass::kNumber);
  EXPECT_EQ(char_class(0x3000), CharClass::kSpace);
  EXPECT_EQ(char_class(0x85), CharClass::kSpace);
  EXPECT_EQ(char_class(0x200B), CharClass::kOther);   // zero width space is not white space
  EXPECT_EQ(char_class(0x1F600), CharClass::kOther);
  EXPECT_EQ(char_class(0x323AF), CharClass::kLetter);  // last ideograph
  EXPECT_EQ(char_class(0x323B0), CharClass::kOther);
  EXPECT_EQ(char_class(0x10FFFF), CharClass::kOther);
  int letters = 0, numbers = 0, spaces = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    letters += char_class(c) == CharClass::kLetter;
    numbers += char_class(c) == CharClass::kNumber;
    spaces += char_class(c) == CharClass::kSpace;
  }
  EXPECT_EQ(letters, 141028);  // Unicode 16
  EXPECT_EQ(numbers, 1911);
  EXPECT_EQ(spaces, 25);
}

TEST(Unicode, LowerCase) {
  EXPECT_EQ(to_lower('Q'), U'q');
  EXPECT_EQ(to_lower('q'), U'q');
  EXPECT_EQ(to_lower('['), U'[');
  EXPECT_EQ(to_lower(0xC9), 0xE9u);      // É
  EXPECT_EQ(to_lower(0xD7), 0xD7u);      // multiplication sign, between letters
  EXPECT_EQ(to_lower(0x100), 0x101u);    // pairs that differ by one
  EXPECT_EQ(to_lower(0x101), 0x101u);
  EXPECT_EQ(to_lower(0x3A3), 0x3C3u);    // Σ
  EXPECT_EQ(to_lower(0x42F), 0x44Fu);    // Я
  EXPECT_EQ(to_lower(0x1E9E), 0xDFu);    // ẞ
  EXPECT_EQ(to_lower(0x212A), U'k');     // kelvin sign
  EXPECT_EQ(to_lower(0x10400), 0x10428u);
  EXPECT_EQ(to_lower(0x4E2D), 0x4E2Du);
  EXPECT_EQ(to_lower(0x10FFFF), 0x10FFFFu);
}

}  // namespace
}  // namespace picochat::base
