#include "picochat/base/text.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace picochat::base {
namespace {

using Strings = std::vector<std::string>;

TEST(Text, CatJoinsValuesOfAnyKind) {
  EXPECT_EQ(cat("line ", 3, ": ", std::string("x"), '!', true, " ", uint64_t{18446744073709551615u}, " ", int8_t{-4}),
            "line 3: x!true 18446744073709551615 -4");
}

TEST(Text, CatWritesTheShortestNumberThatReadsBackEqual) {
  EXPECT_EQ(cat(0.1), "0.1");
  for (double value : {1.0 / 3, 6.02214076e23, -2.5e-300, 0.1 + 0.2}) EXPECT_EQ(std::stod(cat(value)), value);
}

TEST(Text, SplitKeepsEmptyPartsAndJoinPutsThemBack) {
  EXPECT_EQ(split("a,,b", ','), (Strings{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (Strings{""}));
  EXPECT_EQ(split(",", ','), (Strings{"", ""}));
  EXPECT_EQ(join(split("a,,b,", ','), ","), "a,,b,");
  EXPECT_EQ(join(Strings{}, ","), "");
}

TEST(Text, TrimTakesAsciiWhiteSpaceOnly) {
  EXPECT_EQ(trim(" \t\r\n a b \f\v"), "a b");
  EXPECT_EQ(trim(" \n "), "");
  EXPECT_EQ(trim("\u00a0x"), "\u00a0x");
}

TEST(Text, LowerAsciiLeavesOtherBytesAlone) { EXPECT_EQ(lower_ascii("AZ[az]Ä"), "az[az]Ä"); }

TEST(Text, ReplaceAllDoesNotRescanItsOwnOutput) {
  EXPECT_EQ(replace_all("aaa", "a", "aa"), "aaaaaa");
  EXPECT_EQ(replace_all("a-b-c", "-", ""), "abc");
}

TEST(Text, NumbersForPeople) {
  EXPECT_EQ(fixed(1.2345, 2), "1.23");
  EXPECT_EQ(fixed(-0.5, 0), "-0");
  EXPECT_EQ(scientific(0.002, 2), "2.00e-3");
  EXPECT_EQ(scientific(9.996e-5, 2), "1.00e-4");
  EXPECT_EQ(scientific(0, 2), "0.00e0");
  EXPECT_EQ(scientific(3.5, 1), "3.5e0");
  EXPECT_EQ(scientific(-1e100, 1), "-1.0e100");
  EXPECT_EQ(scientific(1e-10, 0), "1e-10");
  EXPECT_EQ(scientific(INFINITY, 2), "inf");
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-1000), "-1,000");
  EXPECT_EQ(grouped(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
  EXPECT_EQ(short_count(15500000), "15.5M");
  EXPECT_EQ(short_count(999), "999");
  EXPECT_EQ(short_count(1.2e9), "1.20B");
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(uint64_t{3} << 30), "3.0 GiB");
}

TEST(Text, DurationsForPeople) {
  EXPECT_EQ(human_seconds(0.26), "0.3 s");
  EXPECT_EQ(human_seconds(41.2), "41 s");
  EXPECT_EQ(human_seconds(59.7), "1 min 00 s");
  EXPECT_EQ(human_seconds(3599.6), "1 h 00 min");
  EXPECT_EQ(human_seconds(2 * 3600 + 3 * 60), "2 h 03 min");
  EXPECT_EQ(human_seconds(90000), "1 d 01 h");
}

TEST(Text, PaddingCountsCharactersNotBytes) {
  EXPECT_EQ(padded("äö", 4), "äö  ");
  EXPECT_EQ(padded("longer", 3), "longer");
}

TEST(Text, NumbersAndBytesForNames) {
  EXPECT_EQ(zero_padded(12, 6), "000012");
  EXPECT_EQ(zero_padded(1234567, 6), "1234567");
  EXPECT_EQ(hex(std::string_view("\x00\x7F\xAB", 3)), "007fab");
}

TEST(Text, GlobPatterns) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("bench_math_*", "bench_math_add"));
  EXPECT_FALSE(glob_match("bench_math_*", "bench_mat"));
  EXPECT_TRUE(glob_match("*.txt", "folder/file.txt")) << "'*' crosses folders in recipes";
  EXPECT_TRUE(glob_match("f?o", "foo"));
  EXPECT_FALSE(glob_match("f?o", "fo"));
  EXPECT_TRUE(glob_match("[a-c]x", "bx"));
  EXPECT_FALSE(glob_match("[!a-c]x", "bx"));
  EXPECT_TRUE(glob_match("[]]", "]"));
  EXPECT_TRUE(glob_match("[open", "[open")) << "a class that is not closed is plain text";
  EXPECT_FALSE(glob_match("abc", "ABC"));
  EXPECT_TRUE(glob_match("a*b*c", "aXXbYYbZZc"));
}

TEST(Text, GlobPatternsWithManyStarsAnswerAtOnce) {
  const std::string text(2000, 'a');
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "*a";
  EXPECT_FALSE(glob_match(pattern + "b", text));
  EXPECT_TRUE(glob_match(pattern, text));
}

TEST(Text, ClosestSuggestsOnlyWhatIsNear) {
  const Strings known{"base_steps", "sft_steps", "out_dir"};
  EXPECT_EQ(closest("base_stps", known), "base_steps");
  EXPECT_EQ(closest("outdir", known), "out_dir");
  EXPECT_EQ(closest("temperature", known), "");
  EXPECT_EQ(closest("x", Strings{}), "");
}

}  // namespace
}  // namespace picochat::base
