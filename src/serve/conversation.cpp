#include "picochat/serve/conversation.hpp"

#include <algorithm>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tasks/chat_format.hpp"

namespace picochat::serve {

using base::cat;
using tasks::ChatTurn;

void check_turns(std::span<const ChatTurn> turns) {
  const size_t first = !turns.empty() && turns.front().role == "system" ? 1 : 0;
  if (turns.size() <= first) throw base::bad_input({.what = "there is no user message to answer", .remedy = "end the conversation with a user message"});
  for (size_t i = first; i < turns.size(); ++i) {
    const char* expected = (i - first) % 2 == 0 ? "user" : "assistant";
    if (turns[i].role != expected)
      throw base::bad_input({.what = "the conversation is out of order", .where = cat("message ", i), .expected = cat("role ", expected), .found = cat("role ", turns[i].role),
                             .remedy = "an optional system message, then user and assistant in turn"});
  }
  if (turns.back().role != "user")
    throw base::bad_input({.what = "the last message is not the user's", .where = cat("message ", turns.size() - 1), .remedy = "end the conversation with a user message"});
}

FittedPrompt fit_prompt(const tokenizer::Tokenizer& tokenizer, std::span<const ChatTurn> turns, int64_t context_size, int64_t room) {
  check_turns(turns);
  std::vector<ChatTurn> kept(turns.begin(), turns.end());
  const size_t first = kept.front().role == "system" ? 1 : 0;
  const int64_t wanted = std::max<int64_t>(1, std::min(room, context_size / 4));
  FittedPrompt out;
  for (;;) {
    out.tokens = tasks::encode_prompt(tokenizer, kept);
    const auto length = static_cast<int64_t>(out.tokens.size());
    const bool last_exchange = kept.size() == first + 1;
    if (length + wanted <= context_size + 1 || (last_exchange && length <= context_size)) return out;
    if (last_exchange)
      throw base::bad_input({.what = "the message is longer than the model's context", .expected = cat("at most ", context_size, " tokens with the system message and the marks of turns"),
                             .found = cat(length, " tokens"), .remedy = "shorten it"});
    kept.erase(kept.begin() + static_cast<ptrdiff_t>(first), kept.begin() + static_cast<ptrdiff_t>(first) + 2);
    out.dropped_turns += 2;
  }
}

}  // namespace picochat::serve
