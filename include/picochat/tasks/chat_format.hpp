// A conversation as tokens. Format: docs/formats/chat.md.
//
//   <bos> (<|role|> text <|end|>)+ <eos>
//
// Text is always encoded as ordinary text: a literal "<|end|>" in a row stays eight characters.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "picochat/tasks/rows.hpp"

namespace picochat::tokenizer {
class Tokenizer;
}

namespace picochat::tasks {

struct EncodedChat {
  std::vector<uint32_t> tokens;
  std::vector<uint8_t> supervised;  // 1: this token is to be predicted (assistant text, its <|end|>, the final <eos>)
  int64_t supervised_count() const;
};

// A whole conversation; the last turn is the assistant's.
EncodedChat encode_chat(const tokenizer::Tokenizer& tokenizer, std::span<const ChatTurn> turns);

// What a model is given before it answers: the turns, then <|assistant|>. The last turn is the user's.
// Equals the first tokens of encode_chat on the same turns with an answer added.
std::vector<uint32_t> encode_prompt(const tokenizer::Tokenizer& tokenizer, std::span<const ChatTurn> turns);

// A single question.
std::vector<uint32_t> encode_prompt(const tokenizer::Tokenizer& tokenizer, std::string_view user);

}  // namespace picochat::tasks
