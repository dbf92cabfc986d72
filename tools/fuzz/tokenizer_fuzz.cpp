// libFuzzer target: the scanner against the pattern read literally, encoding (caches, short and long merges)
// against merging by the definition, the sample against decoding. Built on request (docs/fuzzing.md):
//
//   tokenizer_fuzz CORPUS_FOLDER -max_len=4096 -max_total_time=600
#include <cstdio>
#include <cstdlib>

#include "picochat/base/random.hpp"
#include "picochat/tokenizer/train.hpp"
#include "tokenizer/plain_merge.hpp"
#include "tokenizer/plain_split.hpp"
#include "tokenizer/split.hpp"

namespace {

using namespace picochat::tokenizer;

// Learns from bytes of a few kinds, so that merges exist across every border that a fuzzer can reach.
std::unique_ptr<Tokenizer> trained() {
  picochat::base::Random random(1, "tokenizer_fuzz");
  const std::vector<std::string> parts = {"the ", "in", "'s", "   ", "\n", "\r\n", "12", "\xE4\xBD\xA0", "\xE5\xA5\xBD", "\xD0\xB4", "\xC3\xA9", "==", "{\n\t", "\xFF", "aa"};
  int left = 3000;
  return train_tokenizer({.vocab_size = 1500}, [&](std::string& text) {
    text.clear();
    for (uint64_t n = random.below(40); n > 0; --n) text += parts[std::min(random.below(parts.size()), random.below(parts.size()))];
    return left-- > 0;
  });
}

void check(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::unique_ptr<Tokenizer> tokenizer = trained();
  static const PlainMerge plain(*tokenizer);
  const std::string text(reinterpret_cast<const char*>(data), size);  // its own memory: reads past the end are seen

  std::vector<size_t> ends;
  const auto* begin = reinterpret_cast<const uint8_t*>(text.data());
  for (const uint8_t* p = begin; p < begin + size;) ends.push_back(static_cast<size_t>((p = next_piece(p, begin + size)) - begin));
  const auto plain_ends = plain_piece_ends(text);
  check(ends == plain_ends, "the scanner differs from the pattern");

  const std::vector<TokenId> ids = tokenizer->encode(text);
  check(tokenizer->encode(text) == ids, "the second encoding, from the caches, differs from the first");
  std::vector<TokenId> expected;
  size_t start = 0;
  for (size_t end : plain_ends) {
    plain.append(std::string_view(text).substr(start, end - start), expected);
    start = end;
  }
  check(ids == expected, "encoding differs from merging by the definition");
  check(tokenizer->decode(ids) == text, "decoding does not return the text");
  return 0;
}
