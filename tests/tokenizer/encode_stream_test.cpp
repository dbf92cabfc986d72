#include "picochat/tokenizer/encode_stream.hpp"

#include <gtest/gtest.h>

#include "picochat/base/random.hpp"
#include "tokenizer/training_texts.hpp"

namespace picochat::tokenizer {
namespace {

// About 12 MB in documents of very different lengths, so that batches end everywhere.
std::vector<std::string> documents() {
  base::Random random(6, "stream");
  std::vector<std::string> out;
  for (int i = 0; i < 4000; ++i) {
    const std::string& text = hf_texts()[random.below(hf_texts().size())];
    std::string& document = out.emplace_back();
    const uint64_t repeats = i % 97 == 0 ? 0 : i % 500 == 0 ? 20'000 : 1 + random.below(30);
    for (uint64_t n = 0; n < repeats && document.size() < 2'500'000; ++n) document += text;
  }
  return out;
}

TaggedStream stream_with_tags(const std::vector<std::string>& texts) {
  return [&texts, next = size_t{0}](std::string& text, std::optional<uint64_t>& tag) mutable {
    if (next == texts.size()) return false;
    if (next % 2) tag = next * 7;  // of the others it is worked out
    text = texts[next++];
    return true;
  };
}

TEST(EncodeStream, GivesEveryDocumentInOrderForAnyNumberOfThreads) {
  auto tokenizer = train_on(hf_texts(), {.vocab_size = 700});
  const auto texts = documents();
  for (int threads : {1, 2, 5}) {
    size_t seen = 0;
    encode_stream(*tokenizer, stream_with_tags(texts), [&](const EncodedBatch& batch) {
      size_t begin = 0;
      ASSERT_EQ(batch.tags.size(), batch.ends.size());
      for (size_t i = 0; i < batch.ends.size(); begin = batch.ends[i++], ++seen) {
        ASSERT_EQ(batch.tags[i], seen % 2 ? seen * 7 : texts[seen].size());
        std::vector<TokenId> expected{kBos};
        tokenizer->encode(texts[seen], expected);
        expected.push_back(kEos);
        ASSERT_EQ(std::vector<TokenId>(batch.ids.begin() + static_cast<ptrdiff_t>(begin), batch.ids.begin() + static_cast<ptrdiff_t>(batch.ends[i])), expected);
      }
    }, {.threads = threads, .tag_of = [](std::string_view text) { return text.size(); }});
    EXPECT_EQ(seen, texts.size());
  }
}

TEST(EncodeStream, ErrorsOfBothEndsComeThrough) {
  auto tokenizer = train_on({}, {.type = "byte"});
  const auto texts = documents();
  auto broken = [inner = stream_with_tags(texts), left = 2000](std::string& text, std::optional<uint64_t>& tag) mutable {
    if (--left == 0) throw base::bad_input({.what = "the row is broken"});
    return inner(text, tag);
  };
  for (int threads : {1, 3}) {
    EXPECT_THROW(encode_stream(*tokenizer, broken, [](const EncodedBatch&) {}, {.threads = threads}), base::Error);
    int batches = 0;
    EXPECT_THROW(encode_stream(*tokenizer, stream_with_tags(texts), [&](const EncodedBatch&) {
      if (++batches == 3) throw base::environment_error({.what = "the disk is full"});
    }, {.threads = threads}), base::Error);
    EXPECT_EQ(batches, 3);
  }
}

}  // namespace
}  // namespace picochat::tokenizer
