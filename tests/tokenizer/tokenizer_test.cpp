#include "picochat/tokenizer/tokenizer.hpp"

#include <map>

#include <gtest/gtest.h>

#include "picochat/base/clock.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/random.hpp"
#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/plain_merge.hpp"
#include "tokenizer/training_texts.hpp"

namespace picochat::tokenizer {
namespace {

std::string random_bytes(base::Random& random, size_t size) {
  std::string text;
  for (size_t i = 0; i < size; ++i) text += static_cast<char>(random.below(256));
  return text;
}

// The merges that Hugging Face's trainer learns from the same texts, and the ids it gives them.
TEST(Tokenizer, MergesAndIdsEqualHuggingFace) {
  const base::Json expected = base::read_json(hf_fixture_path());
  auto tokenizer = train_on(hf_texts(), {.vocab_size = expected.at("vocab_size").get<int64_t>()});
  const auto file = nlohmann::json::parse(tokenizer->to_json());
  EXPECT_EQ(file.at("model").at("merges"), nlohmann::json(expected.at("merges")));
  const auto texts = hf_texts();
  for (size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(tokenizer->encode(texts[i]), expected.at("ids")[i].get<std::vector<TokenId>>()) << texts[i];
}

class EveryType : public testing::TestWithParam<TrainOptions> {};

TEST_P(EveryType, AnyBytesComeBack) {
  auto tokenizer = train_on(hf_texts(), GetParam());
  base::Random random(1, "tokenizer_test");
  for (int round = 0; round < 300; ++round) {
    std::string text = random_bytes(random, random.below(300));
    if (round % 3 == 0) text.insert(random.below(text.size() + 1), hf_texts()[random.below(hf_texts().size())]);
    std::vector<TokenId> ids = tokenizer->encode(text);
    ASSERT_EQ(tokenizer->decode(ids), text);
    uint64_t bytes = 0;
    for (TokenId id : ids) {
      ASSERT_GE(id, static_cast<TokenId>(kSpecialTokens));
      bytes += tokenizer->byte_length(id);
    }
    ASSERT_EQ(bytes, text.size());
  }
  EXPECT_TRUE(tokenizer->encode("").empty());
}

TEST_P(EveryType, TheFileReadsBackAsTheSameTokenizer) {
  auto tokenizer = train_on(hf_texts(), GetParam());
  auto again = parse_tokenizer(tokenizer->to_json(), "test");
  EXPECT_EQ(again->type(), tokenizer->type());
  EXPECT_EQ(again->vocab_size(), tokenizer->vocab_size());
  EXPECT_EQ(again->to_json(), tokenizer->to_json());
  EXPECT_EQ(again->digest(), tokenizer->digest());
  for (const auto& text : hf_texts()) EXPECT_EQ(again->encode(text), tokenizer->encode(text));
}

TEST_P(EveryType, SpecialTokensHaveTheirPlacesAndNoBytes) {
  auto tokenizer = train_on(hf_texts(), GetParam());
  for (TokenId id = 0; id < kSpecialTokens; ++id) EXPECT_EQ(tokenizer->byte_length(id), 0u);
  const std::vector<TokenId> turn = {kBos, kUser, tokenizer->encode("x")[0], kEnd, kEos};
  EXPECT_EQ(tokenizer->decode(turn), "x");
  EXPECT_EQ(tokenizer->decode(turn, true), "<bos><|user|>x<|end|><eos>");
}

TEST_P(EveryType, SpecialStringsInTextStayText) {
  auto tokenizer = train_on({"<|end|><|end|><|end|><|end|><unk><unk><unk><pad><pad>", "<|end|><|end|><unk><pad>"}, GetParam());
  for (std::string text : {"<|end|>", "<unk>", "a<pad><bos>b<|assistant|>"}) {
    for (TokenId id : tokenizer->encode(text)) EXPECT_GE(id, static_cast<TokenId>(kSpecialTokens));
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, EveryType,
                         testing::Values(TrainOptions{.type = "bpe", .vocab_size = 700}, TrainOptions{.type = "bpe", .vocab_size = 700, .pretokenizer = "char"},
                                         TrainOptions{.type = "char", .vocab_size = 400}, TrainOptions{.type = "byte"}),
                         [](const auto& info) { return info.param.type + (info.param.pretokenizer == "char" ? "WithoutSplit" : ""); });

TEST(Tokenizer, CharacterTokensAreTheMostFrequentOnes) {
  auto tokenizer = train_on({"\u4E2D\u4E2D\u4E2D\u6587\u6587\u00E9 plain"}, {.type = "char", .vocab_size = 266});
  EXPECT_EQ(tokenizer->vocab_size(), 266u);
  EXPECT_EQ(tokenizer->encode("\u4E2D\u6587"), (std::vector<TokenId>{264, 265}));
  EXPECT_EQ(tokenizer->encode("\u00E9").size(), 2u);  // seen, but the vocabulary was full: its bytes
  EXPECT_EQ(tokenizer->encode("plain").size(), 5u);
}

TEST(Tokenizer, ByteTokensAreBytes) {
  auto tokenizer = train_on({}, {.type = "byte"});
  EXPECT_EQ(tokenizer->vocab_size(), 264u);
  EXPECT_EQ(tokenizer->encode("\u4E2D").size(), 3u);
}

// Against merging by the definition: rescan for the lowest rank, leftmost, until nothing merges.
TEST(Tokenizer, LongAndShortPiecesMergeByTheDefinition) {
  auto tokenizer = train_on(hf_texts(), {.vocab_size = 900});
  const PlainMerge plain(*tokenizer);
  auto by_definition = [&](const std::string& piece) {
    std::vector<TokenId> ids;
    plain.append(piece, ids);
    return ids;
  };
  base::Random random(3, "merge_test");
  for (int round = 0; round < 400; ++round) {
    std::string piece;  // letters only, so that the text is one piece
    for (uint64_t i = 1 + random.below(round % 2 ? 200 : 20); i > 0; --i) piece += "aabexymdrtn"[random.below(11)];
    ASSERT_EQ(tokenizer->encode(piece), by_definition(piece)) << piece;
    ASSERT_EQ(tokenizer->encode(piece), by_definition(piece)) << "second time, from the cache: " << piece;
  }
}

TEST(Tokenizer, HostileTextTakesLinearTime) {
  auto tokenizer = train_on(hf_texts(), {.vocab_size = 700});
  base::Random random(5, "hostile");
  std::string letters, bytes;
  for (size_t i = 0; i < 1 << 20; ++i) letters += "abexy"[random.below(5)], bytes += static_cast<char>(0x80 | random.below(64));
  for (const std::string& text : {std::string(1 << 20, 'a'), std::string(1 << 20, ' '), std::string(1 << 20, '\n'), std::string(1 << 20, '\''), letters, bytes}) {
    double start = base::monotonic_seconds();
    std::vector<TokenId> ids = tokenizer->encode(text);
    EXPECT_LT(base::monotonic_seconds() - start, 20.0);  // 0.1-0.5 s alone; quadratic time would be hours
    EXPECT_TRUE(tokenizer->decode(ids) == text);
  }
}

TEST(Tokenizer, ManyThreadsGiveTheSameIds) {
  auto tokenizer = train_on(hf_texts(), {.vocab_size = 700});
  base::Random random(9, "threads");
  std::vector<std::string> documents;
  for (int i = 0; i < 3000; ++i) {
    documents.push_back(hf_texts()[random.below(hf_texts().size())].substr(random.below(50)));
    if (i % 100 == 0) documents.back().clear();
  }
  std::vector<std::vector<TokenId>> one, many;
  encode_documents(*tokenizer, documents, one, 1);
  encode_documents(*tokenizer, documents, many, 7);
  EXPECT_EQ(one, many);
  for (size_t i = 0; i < documents.size(); ++i) ASSERT_EQ(tokenizer->decode(one[i]), documents[i]);
}

TEST(Tokenizer, UnknownIdsAreRefused) {
  auto tokenizer = train_on({}, {.type = "byte"});
  EXPECT_THROW(tokenizer->decode(std::vector<TokenId>{264}), base::Error);
  EXPECT_THROW(tokenizer->byte_length(0xFFFFFFFF), base::Error);
}

}  // namespace
}  // namespace picochat::tokenizer
