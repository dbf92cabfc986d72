#include "honesty/words.hpp"

#include <gtest/gtest.h>

#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"

namespace picochat::honesty {
namespace {

std::vector<size_t> begins_of(const WordHashes& words) {
  std::vector<size_t> out;
  for (size_t i = 0; i < words.size(); ++i) out.push_back(words.begin_of(i));
  return out;
}

// The quick scan and the plain one must agree on every word and where it begins.
void expect_same(std::string_view text) {
  WordHashes plain, quick;
  plain.assign(text);
  // At the very end of its memory: a read past the text is seen by the address sanitizer.
  const std::vector<char> tight(text.begin(), text.end());
  quick.scan({tight.data(), tight.size()}, 0, tight.size());
  ASSERT_EQ(quick.hashes(), plain.hashes()) << "in: " << text;
  ASSERT_EQ(begins_of(quick), begins_of(plain)) << "in: " << text;
}

TEST(Words, QuickScanOfEverySortOfText) {
  for (const char* text :
       {"", " ", "a", "Hello, World!", "don't can\u2019t 'quoted' ''", "1,234 and 1,a and a,1 and ,5", "3 + 4=7, 8x5, 8 x 5, x86 0x1F Xx 9x", "- a\n- b\n -- 5 -\n3",
        "photo-\nsynthesis re-\r\n   enter end-\n", "up-\n-", "a-\n\nb well-known low-\nlevel,thing,x", "stra\u00DFe STRASSE caf\u00E9 cafe\u0301",
        "\u54EA\u4E00\u4E2A\u884C\u661F\u3002ab\u54EA\u4E00", "\u041A\u0430\u043A\u0430\u044F \u043F\u043B\u0430\u043D\u0435\u0442\u0430", "\xFF\xFE broken \xE2\x82 utf", "2\u00D73 \u2212 5 \u00F7 7",
        "a_b-c/d.e+f*g", "9.6 \n=   11", "\uFF16 \u2022 \uFF12\uFF14 \u00F7 (\uFF18 \u2212 \uFF15)", "\uFF18x\uFF15 \uFF11,\uFF10 8x\uFF15", "2010\n- item\n* 5", "5\u00A0+\u30003 x\u2003=\u202F7", "4\t\r\n<\t5", "4\n> 5", "> 7 > 8", "a\n>> 9", "zero\u200Bwidth and\u00A0nbsp", "averyveryveryverylongwordindeedwithoutanyendatallthatgoesonandonandonoverseveralblocksofsixtyfourbytes tail"}) {
    expect_same(text);
    for (size_t pad = 1; pad < 70; pad += 3) expect_same(base::cat(std::string(pad, 'q'), " ", text, std::string(pad % 7, ' '), text));
  }
}

// A question typed in wide forms, and one in capitals, is the same question.
TEST(Words, WideDigitsAndTheDotlessIAreFolded) {
  auto same = [](std::string_view a, std::string_view b) {
    WordHashes one, other;
    one.assign(a);
    other.assign(b);
    EXPECT_EQ(one.hashes(), other.hashes()) << a << " | " << b;
  };
  same("6 \u2022 24 \u00F7 (8 \u2212 5)", "\uFF16 \u2022 \uFF12\uFF14 \u00F7 (\uFF18 \u2212 \uFF15)");
  same("there are 12 months and 35,840 feet, 5 > 3", "there are\n> 12 months and 35,840\r\n> > feet, 5 > 3");
  same("8x5 and 1,000", "\uFF18x\uFF15 and \uFF11,\uFF10\uFF10\uFF10");
  same("neredeyse yan yatm\u0131\u015F olarak", "NEREDEYSE YAN YATMI\u015E OLARAK");
}

TEST(Words, QuickScanOfRandomText) {
  static const char* kParts[] = {"a", "x", "X", "5", "12", " ", "  ", "\n", "\r\n", "\u00A0", "\u3000", "<", ">", "\n> ", "*", "-", "-\n", "'", ",", "+", "=", "^", ".", "\t", "Zq", "word", "LongerWordThanEight", "\u00E9",
                                 "\u0301", "\u54EA", "\u0E01\u0E34", "\u0915\u093F", "\uFF11", "\uFF18", "\u00F7", "\u0131", "\uFB01", "\u200B", "\u00AD", "\u2019", "\u00D7", "\u2212", "\xFF", "\xE2\x82", "\uD55C", "\u00BD"};
  base::Random random(7, "words");
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    // Words dominate in some rounds, oddities in others.
    const uint64_t plain = random.below(4);
    for (uint64_t n = random.below(round % 50 == 0 ? 3000 : 120); n > 0; --n) {
      if (random.below(4) < plain) text += random.below(5) ? std::string(1 + random.below(9), static_cast<char>('a' + random.below(26))) : std::string(" ");
      else text += kParts[random.below(std::size(kParts))];
    }
    expect_same(text);
    if (HasFatalFailure()) return;
  }
}

TEST(Words, APartOfATextHasTheWordsOfTheWhole) {
  const std::string text = "It was 3 + 4 that they could not explain; the photo-\nsynthesis, don't you see, of \u54EA\u4E00\u4E2A things.";
  WordHashes whole, part;
  whole.assign(text);
  for (size_t cut = 1; cut < text.size(); ++cut) {
    if (!tasks::word_scan::is_separator(text[cut - 1]) || text[cut - 1] == '\n') continue;
    std::vector<uint64_t> joined;
    part.scan(text, 0, cut);
    joined = part.hashes();
    part.scan(text, cut, text.size());
    joined.insert(joined.end(), part.hashes().begin(), part.hashes().end());
    EXPECT_EQ(joined, whole.hashes()) << cut;
  }
}

TEST(Words, SpellingsOfOneWordHashAlike) {
  auto hashes = [](std::string_view text) {
    WordHashes words;
    words.assign(text);
    return words.hashes();
  };
  EXPECT_EQ(hashes("photosynthesis"), hashes("Photo-\n   synthesis"));
  EXPECT_EQ(hashes("It's 1,234"), hashes("its 1234"));
  EXPECT_EQ(hashes("\uFF38\uFF39"), hashes("xy"));
  EXPECT_NE(hashes("well-known"), hashes("wellknown"));
  EXPECT_EQ(hashes("y + 2.9 = 11"), hashes("y\t+\u00A02.9 \n=\u3000 11"));
  EXPECT_EQ(hashes("in 2010 next"), hashes("in 2010\n- next")) << "the item of a list is no difference";
}

}  // namespace
}  // namespace picochat::honesty
