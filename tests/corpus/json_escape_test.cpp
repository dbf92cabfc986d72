// The escaper that works on 16 bytes at a time, against the JSON library.
#include "corpus/json_escape.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "corpus/json_text.hpp"
#include "picochat/base/json.hpp"

namespace picochat::corpus {
namespace {

TEST(JsonEscape, EqualsTheLibraryForAnyTextAndLength) {
  std::mt19937 engine(5);
  const std::string alphabet = std::string("abc \"\\\n\t\r\b\f\x01\x1f/\x7f") + std::string(1, '\0');
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    const size_t length = engine() % 70;
    // Mostly plain text, so that whole blocks of 16 bytes pass as well.
    for (size_t i = 0; i < length; ++i) text += engine() % 8 ? std::string(1, static_cast<char>('a' + engine() % 26)) : engine() % 3 ? std::string(1, alphabet[engine() % alphabet.size()]) : "ü€";
    std::string out;
    append_json_string(out, text);
    EXPECT_EQ(out, base::Json(text).dump());
  }
  std::string out, large(100000, '"');
  append_json_string(out, large);
  EXPECT_EQ(base::Json::parse(out), large);
}

}  // namespace
}  // namespace picochat::corpus
