// What a reader of a stream sees, however the tokens cut the bytes.
#include "picochat/serve/text_stream.hpp"

#include <gtest/gtest.h>

#include "picochat/base/random.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::serve {
namespace {

struct Shown {
  std::vector<std::string> pieces;
  std::string text;
  bool stopped;
};

Shown show(const std::string& bytes, const std::vector<size_t>& cuts, const std::vector<std::string>& stop = {}) {
  TextStream stream(stop);
  Shown out;
  size_t at = 0;
  for (size_t cut : cuts) {
    out.pieces.push_back(stream.push(std::string_view(bytes).substr(at, cut)));
    at += cut;
  }
  out.pieces.push_back(stream.finish());
  for (const auto& piece : out.pieces) out.text += piece;
  out.stopped = stream.stopped();
  return out;
}

std::vector<size_t> single_bytes(const std::string& text) { return std::vector<size_t>(text.size(), 1); }

TEST(TextStream, CharactersArriveWhole) {
  const std::string text = "aé€😀z";
  const Shown shown = show(text, single_bytes(text));
  EXPECT_EQ(shown.text, text);
  for (const auto& piece : shown.pieces) EXPECT_TRUE(base::is_valid_utf8(piece));
  EXPECT_EQ(shown.pieces[0], "a");  // and nothing waits longer than it must
  EXPECT_EQ(shown.pieces[2], "é");
}

TEST(TextStream, BytesThatAreNotTextAreReplacedAndDoNotBlock) {
  EXPECT_EQ(show("\xff" "ab", {1, 1, 1}).pieces[0], "\xEF\xBF\xBD");
  EXPECT_EQ(show("\xe2\x82" "x", {1, 1, 1}).text, "\xEF\xBF\xBDx");
  EXPECT_EQ(show("ab\xe2\x82", {4}).text, "ab\xEF\xBF\xBD");
}

TEST(TextStream, TheTextEndsBeforeAStopString) {
  const std::string text = "one two END three";
  const Shown shown = show(text, single_bytes(text), {"END", "three"});
  EXPECT_EQ(shown.text, "one two ");
  EXPECT_TRUE(shown.stopped);
  EXPECT_FALSE(show(text, single_bytes(text), {"ENDS"}).stopped);
  EXPECT_EQ(show(text, single_bytes(text), {"ENDS"}).text, text);
}

TEST(TextStream, TheBeginningOfAStopStringIsNeverShown) {
  TextStream stream({"###"});
  EXPECT_EQ(stream.push("a#"), "a");
  EXPECT_EQ(stream.push("#"), "");
  EXPECT_EQ(stream.push("b#"), "##b");
  EXPECT_EQ(stream.push("##"), "");
  EXPECT_TRUE(stream.stopped());
}

TEST(TextStream, AnyCutGivesTheSameText) {
  base::Random random(1, "text stream");
  const std::string alphabet[] = {"a", "b", "ab", "é", "€", "😀", "\xff", "\xe2", "\x80", "##", "#", "aba"};
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) text += alphabet[random.below(std::size(alphabet))];
    const std::vector<std::string> stop = {"###", "abab", "€é"};
    const Shown whole = show(text, {text.size()}, stop);
    std::vector<size_t> cuts;
    for (size_t left = text.size(); left > 0;) {
      cuts.push_back(1 + random.below(std::min<size_t>(left, 5)));
      left -= cuts.back();
    }
    const Shown cut = show(text, cuts, stop);
    ASSERT_EQ(cut.text, whole.text) << round;
    ASSERT_EQ(cut.stopped, whole.stopped) << round;
    for (const auto& piece : cut.pieces) ASSERT_TRUE(base::is_valid_utf8(piece)) << round;
  }
}

}  // namespace
}  // namespace picochat::serve
