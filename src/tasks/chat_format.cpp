#include "picochat/tasks/chat_format.hpp"

#include <algorithm>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::tasks {
namespace {

using tokenizer::TokenId;

TokenId role_token(const std::string& role) {
  if (role == "system") return tokenizer::kSystem;
  if (role == "user") return tokenizer::kUser;
  if (role == "assistant") return tokenizer::kAssistant;
  throw base::internal_error(base::cat("unknown chat role '", role, "'"));
}

}  // namespace

int64_t EncodedChat::supervised_count() const { return std::count(supervised.begin(), supervised.end(), uint8_t{1}); }

EncodedChat encode_chat(const tokenizer::Tokenizer& tokenizer, std::span<const ChatTurn> turns) {
  base::require(!turns.empty() && turns.back().role == "assistant", "a conversation to learn from ends with the assistant");
  EncodedChat out;
  auto mark = [&](bool learn) { out.supervised.resize(out.tokens.size(), learn ? 1 : 0); };
  out.tokens.push_back(tokenizer::kBos);
  for (const ChatTurn& turn : turns) {
    out.tokens.push_back(role_token(turn.role));
    mark(false);
    tokenizer.encode(turn.text, out.tokens);
    out.tokens.push_back(tokenizer::kEnd);
    mark(turn.role == "assistant");
  }
  out.tokens.push_back(tokenizer::kEos);
  mark(true);
  return out;
}

std::vector<uint32_t> encode_prompt(const tokenizer::Tokenizer& tokenizer, std::span<const ChatTurn> turns) {
  base::require(!turns.empty() && turns.back().role == "user", "a prompt ends with the user");
  std::vector<uint32_t> out{tokenizer::kBos};
  for (const ChatTurn& turn : turns) {
    out.push_back(role_token(turn.role));
    tokenizer.encode(turn.text, out);
    out.push_back(tokenizer::kEnd);
  }
  out.push_back(tokenizer::kAssistant);
  return out;
}

std::vector<uint32_t> encode_prompt(const tokenizer::Tokenizer& tokenizer, std::string_view user) {
  ChatTurn turn{"user", std::string(user)};
  return encode_prompt(tokenizer, std::span<const ChatTurn>(&turn, 1));
}

}  // namespace picochat::tasks
