#include "picochat/tokenizer/hub_files.hpp"

#include <gtest/gtest.h>

#include "picochat/base/text.hpp"
#include "tokenizer/base64.hpp"
#include "tokenizer/training_texts.hpp"
#include "support/project.hpp"

namespace picochat::tokenizer {
namespace {

TEST(HubFiles, RanksAreTheOrdinaryTokensInOrder) {
  auto tokenizer = train_on(hf_texts(), {.vocab_size = 400});
  const std::string ranks = tiktoken_ranks(*tokenizer);
  size_t rank = 0;
  for (size_t at = 0; at < ranks.size(); ++rank) {
    const size_t space = ranks.find(' ', at), end = ranks.find('\n', at);
    ASSERT_EQ(ranks.substr(space + 1, end - space - 1), std::to_string(rank));
    ASSERT_EQ(from_base64(ranks.substr(at, space - at)), std::string(tokenizer->token_bytes(static_cast<TokenId>(rank + 8))));
    at = end + 1;
  }
  EXPECT_EQ(rank, 392u);
}

TEST(HubFiles, OnlyBpeBySplitHasRanks) {
  EXPECT_THROW(tiktoken_ranks(*train_on({}, {.type = "byte"})), base::Error);
  EXPECT_THROW(tiktoken_ranks(*train_on(hf_texts(), {.type = "char", .vocab_size = 300})), base::Error);
  EXPECT_THROW(tiktoken_ranks(*train_on(hf_texts(), {.vocab_size = 300, .pretokenizer = "char"})), base::Error);
}

TEST(HubFiles, ConfigNamesTheSpecialTokensAndTheTemplate) {
  const auto config = nlohmann::json::parse(tokenizer_config(2048));
  EXPECT_EQ(config.at("model_max_length"), 2048);
  EXPECT_EQ(config.at("bos_token"), "<bos>");
  EXPECT_EQ(config.at("eos_token"), "<eos>");
  EXPECT_EQ(config.at("pad_token"), "<pad>");
  EXPECT_EQ(config.at("additional_special_tokens"), (std::vector<std::string>{"<|system|>", "<|user|>", "<|assistant|>", "<|end|>"}));
  EXPECT_EQ(config.at("chat_template"), std::string(chat_template()));
}

// The document that fixes the chat format shows the very template.
TEST(HubFiles, TheTemplateIsTheDocumentedOne) {
  EXPECT_NE(base::read_file(base::Path(kSourceDir) / "docs/formats/chat.md").find(std::string(chat_template()) + "\n"), std::string::npos);
}

}  // namespace
}  // namespace picochat::tokenizer
