#include "picochat/base/unicode_fold.hpp"

#include <gtest/gtest.h>

#include "picochat/base/unicode.hpp"

namespace picochat::base {
namespace {

TEST(UnicodeFold, SpellingsOfOneTextFoldAlike) {
  const std::pair<const char*, const char*> alike[] = {
      {"HELLO Wörld", "hello world"},
      {"caf\u00E9", "cafe\u0301"},             // composed and decomposed
      {"\uFF21\uFF22\uFF23 \uFF11\uFF12", "abc 12"},  // wide forms
      {"e\uFB03cient o\uFB00er", "efficient offer"},
      {"Stra\u00DFe", "STRASSE"},
      {"\u03A3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C2", "\u03C3\u03B9\u03C3\u03C5\u03C6\u03BF\u03C3"},  // final sigma, accent
      {"\u0419\u041E\u0413\u0423\u0420\u0422", "\u0438\u043E\u0433\u0443\u0440\u0442"},
      {"\uFF76\uFF9E\uFF97\uFF7D", "\u30AC\u30E9\u30B9"},   // half-width kana
      {"\uD55C\uAE00", "\u1112\u1161\u11AB\u1100\u1173\u11AF"},   // syllables and their letters
      {"\u0645\u064F\u062D\u064E\u0645\u0651\u064E\u062F", "\u0645\u062D\u0645\u062F"},  // vowel points
      {"\U0001D400\U0001D41A", "aa"},           // styled letters
      {"zero\u200Bwidth so\u00ADft", "zerowidth soft"},
  };
  for (const auto& [a, b] : alike) EXPECT_EQ(fold_text(a), fold_text(b)) << a;
}

TEST(UnicodeFold, LettersThatDifferStayApart) {
  const std::pair<const char*, const char*> apart[] = {
      {"\u0915\u093F", "\u0915"},   // an Indic vowel sign is a letter in all but name
      {"\u4E00", "\u4E8C"}, {"\u0430", "a"}, {"\u3042", "\u30A2"},
  };
  for (const auto& [a, b] : apart) EXPECT_NE(fold_text(a), fold_text(b)) << a;
}

TEST(UnicodeFold, FoldingTwiceChangesNothing) {
  FoldBuffer buffer, again;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    for (char32_t folded : fold_code_point(c, buffer)) {
      const auto twice = fold_code_point(folded, again);
      ASSERT_TRUE(twice.size() == 1 && twice[0] == folded) << std::hex << static_cast<uint32_t>(c);
    }
  }
}

TEST(UnicodeFold, BytesThatAreNoTextBecomeReplacements) { EXPECT_EQ(fold_text("a\xFF z"), "a\xEF\xBF\xBD z"); }

}  // namespace
}  // namespace picochat::base
