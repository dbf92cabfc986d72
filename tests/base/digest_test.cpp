#include "picochat/base/digest.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::base {
namespace {

// FIPS 180-4 examples.
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Digest, Sha256OfKnownTexts) {
  EXPECT_EQ(sha256("abc").hex(), kAbc);
  EXPECT_EQ(sha256("").hex(), kEmpty);
  EXPECT_EQ(sha256("abc").brief(), "ba7816bf8f01");
}

TEST(Digest, PiecesGiveTheDigestOfTheWhole) {
  Sha256 hash;
  for (const char* piece : {"", "a", "bc"}) hash.update(piece);
  EXPECT_EQ(hash.finish().hex(), kAbc);
}

TEST(Digest, OfAFileLargerThanTheReadBuffer) {
  test::TemporaryFolder folder;
  const std::string bytes((3u << 20) + 17, 'x');
  EXPECT_EQ(sha256_file(folder.write("large", bytes)), sha256(bytes));
  EXPECT_EQ(sha256_file(folder.write("empty", "")).hex(), kEmpty);
}

TEST(Digest, AMissingFileIsNamed) {
  try {
    sha256_file("/nowhere/corpus.txt");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kBadInput);
    EXPECT_EQ(error.details().where, "/nowhere/corpus.txt");
  }
}

TEST(Digest, OnlyLowerCaseHexOfFullLengthIsADigest) {
  EXPECT_NO_THROW(Digest{kAbc});
  EXPECT_TRUE(Digest{}.empty());
  std::string upper = kAbc;
  upper[0] = 'B';
  for (const std::string& text : {std::string(), std::string("abc"), upper, cat(kAbc, "0")})
    EXPECT_THROW(Digest{text}, Error) << text;
}

TEST(Digest, FastHashIsXxh3AndSeeded) {
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2u);  // the published value of XXH3_64bits of no bytes
  EXPECT_EQ(hash64("picochat"), hash64("picochat"));
  EXPECT_NE(hash64("picochat", 1), hash64("picochat", 2));
}

}  // namespace
}  // namespace picochat::base
