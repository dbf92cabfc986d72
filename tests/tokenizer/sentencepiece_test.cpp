#include <gtest/gtest.h>

#include "picochat/base/random.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/tokenizer/hub_files.hpp"
#include "tokenizer/base64.hpp"
#include "tokenizer/training_texts.hpp"

namespace picochat::tokenizer {
namespace {

class SentencePiece : public testing::TestWithParam<std::string> {
 protected:
  static const Tokenizer& tokenizer(const std::string& model) {
    static std::map<std::string, std::unique_ptr<Tokenizer>> trained;
    auto& one = trained[model];
    if (!one) one = train_on(hf_texts(), {.type = "sentencepiece", .vocab_size = 900, .sentencepiece_model = model});
    return *one;
  }
  const Tokenizer& tokenizer() const { return tokenizer(GetParam()); }
};

TEST_P(SentencePiece, HasTheIdsOfEveryTokenizer) {
  EXPECT_EQ(tokenizer().type(), "sentencepiece");
  EXPECT_GT(tokenizer().vocab_size(), 264u + 94u);
  for (TokenId id = 0; id < 8; ++id) EXPECT_EQ(tokenizer().byte_length(id), 0u);
  for (TokenId id = 8; id < 264; ++id) EXPECT_EQ(tokenizer().token_bytes(id), std::string(1, static_cast<char>(id - 8)));
  EXPECT_EQ(tokenizer().decode(std::vector<TokenId>{kBos, kEnd}, true), "<bos><|end|>");
}

TEST_P(SentencePiece, DecodingReturnsAnyBytes) {
  std::vector<std::string> texts = hf_texts();
  texts.insert(texts.end(), {"", " ", "   two  spaces ", "\u2581 is not a space\u2581", "a\tb\r\n\n", std::string("nul\0byte", 8), "\xFF\xC3(\xE2\x96", "<unk><|end|><0x41>"});
  base::Random random(1, "bytes");
  for (int i = 0; i < 200; ++i) {
    std::string& text = texts.emplace_back();
    for (uint64_t n = random.below(40); n > 0; --n) {
      if (random.below(3)) base::append_utf8(text, static_cast<char32_t>(random.below(i % 2 ? 0x300 : 0x11000)));
      else text += static_cast<char>(random.below(256));
    }
  }
  for (const auto& text : texts) {
    const auto ids = tokenizer().encode(text);
    ASSERT_EQ(tokenizer().decode(ids), text);
    for (TokenId id : ids) ASSERT_GE(id, static_cast<TokenId>(kSpecialTokens)) << text;
  }
}

TEST_P(SentencePiece, TextOfTheTrainingKindIsShort) {
  size_t tokens = 0, bytes = 0;
  for (const auto& text : hf_texts()) tokens += tokenizer().encode(text).size(), bytes += text.size();
  EXPECT_LT(tokens * 3, bytes * 2);
}

TEST_P(SentencePiece, ItsFileLoadsAndNamesAnAlteredOne) {
  const std::string json = tokenizer().to_json();
  auto again = parse_tokenizer(json, "here");
  EXPECT_EQ(again->digest().hex(), tokenizer().digest().hex());
  const auto& text = hf_texts().front();
  EXPECT_EQ(again->encode(text), tokenizer().encode(text));
  auto file = nlohmann::json::parse(json);
  auto refused = [](const nlohmann::json& altered) { EXPECT_THROW(parse_tokenizer(altered.dump(), "here"), base::Error); };
  auto altered = file;
  altered["model"]["picochat"]["self_test"]["ids"][3] = 9;
  refused(altered);
  altered = file;
  altered["model"]["vocab"].erase(altered["model"]["vocab"].begin());
  refused(altered);
  altered = file;
  std::string model = *from_base64(file["model"]["picochat"]["sentencepiece_model"].get<std::string>());
  altered["model"]["picochat"]["sentencepiece_model"] = to_base64(model.substr(0, model.size() / 2));
  refused(altered);
  altered["model"]["picochat"]["sentencepiece_model"] = "not base64!";
  refused(altered);
}

TEST_P(SentencePiece, ItsModelFileLoadsToo) {
  const base::Path path = base::Path(testing::TempDir()) / ("sentencepiece_" + GetParam() + ".model");
  base::write_file(base::real_file_system(), path, std::string(sentencepiece_model(tokenizer())));
  auto loaded = load_tokenizer(path);
  for (const auto& text : hf_texts()) ASSERT_EQ(loaded->encode(text), tokenizer().encode(text));
  base::write_file(base::real_file_system(), path, "not a model");
  EXPECT_THROW(load_tokenizer(path), base::Error);
}

INSTANTIATE_TEST_SUITE_P(Models, SentencePiece, testing::Values("bpe", "unigram"), [](const auto& info) { return info.param; });

TEST(SentencePieceTraining, ReportsErrorsOfTheStreamAndOfTheLibrary) {
  int calls = 0;
  auto broken = [&](std::string& text) -> bool {
    if (++calls == 3) throw base::bad_input({.what = "row 3 is broken"});
    text = "some text";
    return true;
  };
  EXPECT_THROW(train_tokenizer({.type = "sentencepiece"}, broken), base::Error);
  EXPECT_THROW(train_on({""}, {.type = "sentencepiece"}), base::Error);
  EXPECT_THROW(train_on({"some text"}, {.type = "sentencepiece", .vocab_size = 264}), base::Error);  // no room for the characters
  EXPECT_THROW(train_on({"some text"}, {.type = "sentencepiece", .sentencepiece_model = "word"}), base::Error);
}

TEST(Base64, FollowsTheStandard) {
  for (auto [plain, encoded] : std::vector<std::pair<std::string, std::string>>{{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}}) {
    EXPECT_EQ(to_base64(plain), encoded);
    EXPECT_EQ(from_base64(encoded), plain);
  }
  EXPECT_EQ(from_base64("Zg="), std::nullopt);
  EXPECT_EQ(from_base64("Z!=="), std::nullopt);
}

}  // namespace
}  // namespace picochat::tokenizer
