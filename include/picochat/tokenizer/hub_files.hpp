// What other programs load a tokenizer from, beside tokenizer.json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::tokenizer {

// docs/formats/chat.md as a Jinja template.
std::string_view chat_template();

// tokenizer_config.json: AutoTokenizer then has the special tokens and the chat template.
std::string tokenizer_config(int64_t model_max_length);

// tokenizer.tiktoken: a line "base64 rank" for each ordinary token; the rank is the id less the eight special
// tokens. Usage error for types that tiktoken has no model of (only bpe with the split pattern has one).
std::string tiktoken_ranks(const Tokenizer& tokenizer);

// What a tokenizer.model file holds; empty unless the type is "sentencepiece".
std::string_view sentencepiece_model(const Tokenizer& tokenizer);

struct NamedFile {
  std::string name, bytes;
};
// tokenizer.json, tokenizer_config.json, special_tokens_map.json, chat_template.jinja and, of a sentencepiece tokenizer, tokenizer.model.
std::vector<NamedFile> hub_files(const Tokenizer& tokenizer, int64_t model_max_length);

}  // namespace picochat::tokenizer
