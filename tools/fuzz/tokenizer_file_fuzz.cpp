// tokenizer.json: a file that is taken encodes and decodes any bytes, and is written as one that reads the same.
#include "fuzz.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  const std::string_view text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    const auto tokenizer = tokenizer::parse_tokenizer(text, "fuzz");
    const auto ids = tokenizer->encode(text);
    for (const auto id : ids) fuzz::check(id < tokenizer->vocab_size() && id >= tokenizer::kSpecialTokens, "ids of text are in the vocabulary");
    fuzz::check(tokenizer->decode(ids) == text, "decoding returns the text");
    const auto again = tokenizer::parse_tokenizer(tokenizer->to_json(), "again");
    fuzz::check(again->encode(text) == ids && again->digest() == tokenizer->digest(), "the file reads back as the same tokenizer");
  });
  return 0;
}
