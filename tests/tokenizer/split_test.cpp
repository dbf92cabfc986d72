#include "tokenizer/split.hpp"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "tokenizer/plain_split.hpp"
#include "support/project.hpp"

namespace picochat::tokenizer {
namespace {

std::vector<size_t> piece_ends(std::string_view text) {
  std::vector<size_t> ends;
  const auto* start = reinterpret_cast<const uint8_t*>(text.data());
  for (const auto *p = start, *end = start + text.size(); p < end;) {
    p = next_piece(p, end);
    ends.push_back(static_cast<size_t>(p - start));
  }
  return ends;
}

std::vector<std::string> pieces(std::string_view text) {
  std::vector<std::string> out;
  size_t start = 0;
  for (size_t end : piece_ends(text)) {
    out.emplace_back(text.substr(start, end - start));
    start = end;
  }
  return out;
}

using Pieces = std::vector<std::string>;

TEST(Split, WordsTakeOneCharacterBeforeThem) {
  EXPECT_EQ(pieces("Hello world"), (Pieces{"Hello", " world"}));
  EXPECT_EQ(pieces("(word)\tnext"), (Pieces{"(word", ")", "\tnext"}));
  EXPECT_EQ(pieces("x=$y"), (Pieces{"x", "=$", "y"}));
}

TEST(Split, DigitsStandAlone) {
  EXPECT_EQ(pieces("in 1999"), (Pieces{"in", " ", "1", "9", "9", "9"}));
  EXPECT_EQ(pieces("a1b"), (Pieces{"a", "1", "b"}));
}

TEST(Split, ContractionsFoldCase) {
  EXPECT_EQ(pieces("it's IT'S we'LL"), (Pieces{"it", "'s", " IT", "'S", " we", "'LL"}));
  EXPECT_EQ(pieces("it'\u017F"), (Pieces{"it", "'\u017F"}));
  EXPECT_EQ(pieces("'store"), (Pieces{"'s", "tore"}));
  EXPECT_EQ(pieces("'l"), (Pieces{"'l"}));
  EXPECT_EQ(pieces("'vx"), (Pieces{"'vx"}));
  EXPECT_EQ(pieces("'"), (Pieces{"'"}));
}

TEST(Split, WhiteSpaceLeavesItsLastCharacterToTheWord) {
  EXPECT_EQ(pieces("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(pieces("a  "), (Pieces{"a", "  "}));
  EXPECT_EQ(pieces("a  1"), (Pieces{"a", " ", " ", "1"}));
  EXPECT_EQ(pieces("a\n\n  b"), (Pieces{"a", "\n\n", " ", " b"}));
  EXPECT_EQ(pieces("a \n b"), (Pieces{"a", " \n", " b"}));
  EXPECT_EQ(pieces("end.\r\n\r\nNew"), (Pieces{"end", ".\r\n\r\n", "New"}));
}

TEST(Split, InvalidUtf8CountsAsPunctuation) {
  EXPECT_EQ(pieces("a\xFF\xFE!"), (Pieces{"a", "\xFF\xFE!"}));
  EXPECT_EQ(pieces(" \xE2\x82 x"), (Pieces{" \xE2\x82", " x"}));
  EXPECT_EQ(pieces("\x80word"), (Pieces{"\x80word"}));
  EXPECT_EQ(pieces("\xED\xA0\x80"), (Pieces{"\xED\xA0\x80"}));
}

// Around every code point, as the Hugging Face engine cuts (tools/oracle/tokenizer_fixtures.py).
TEST(Split, EqualsHuggingFaceOnEveryCodePoint) {
  std::ifstream file(base::cat(kSourceDir, "/tests/tokenizer/data/split_hashes.txt"));
  int blocks = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    uint32_t first;
    uint64_t expected, state = 0xCBF29CE484222325;
    fields >> std::hex >> first >> expected;
    for (char32_t c = first; c < first + 4096; ++c) {
      if (c >= 0xD800 && c < 0xE000) continue;
      std::string x;
      base::append_utf8(x, c);
      for (size_t end : piece_ends(base::cat("a", x, "b '", x, " ", x, x, "1", x, "\n", x, " x '", x, x, "  ", x))) {
        for (int shift : {0, 8}) state = (state ^ (end >> shift & 0xFF)) * 0x100000001B3;
      }
    }
    EXPECT_EQ(state, expected) << "code points from " << std::hex << first;
    ++blocks;
  }
  EXPECT_EQ(blocks, 272);
}

TEST(Split, EqualsThePlainReadingOnRandomText) {
  const std::vector<std::string> alphabet = {"a", "Z", "s", "l", "e", "v", "r", "'", "'", " ", " ", "  ", "\t", "\n", "\r", "\r\n", "1", ".", "-", "\u00E9", "\u017F",
                                             "\u4E2D", "\u0660", "\u00A0", "\u2028", "\u3000", "\U0001F600", "\u0301", "\x80", "\xC3", "\xE2\x82", "\xF0\x9F", "\xFF",
                                             "abcdefghijklmnopqrstuvwxyz"};
  base::Random random(7, "split_test");
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (uint64_t i = random.below(24); i > 0; --i) text += alphabet[random.below(alphabet.size())];
    ASSERT_EQ(piece_ends(text), plain_piece_ends(text)) << testing::PrintToString(text);
  }
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (uint64_t i = random.below(40); i > 0; --i) text += static_cast<char>(random.below(256));
    ASSERT_EQ(piece_ends(text), plain_piece_ends(text)) << testing::PrintToString(text);
  }
}

}  // namespace
}  // namespace picochat::tokenizer
