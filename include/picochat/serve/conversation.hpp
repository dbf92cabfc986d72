// A conversation within a context: what does not fit is dropped by whole turns, oldest first, never cut.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "picochat/tasks/rows.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::serve {

struct FittedPrompt {
  std::vector<tokenizer::TokenId> tokens;
  int64_t dropped_turns = 0;
};

// `turns`: an optional system turn, then user and assistant in turn, the user last. Keeps room for `room` new tokens,
// a quarter of the context at most, by leaving out the oldest user turns with their answers; the system turn and the last
// user turn stay. BadInput with the lengths when these alone do not fit.
FittedPrompt fit_prompt(const tokenizer::Tokenizer& tokenizer, std::span<const tasks::ChatTurn> turns, int64_t context_size, int64_t room);

// BadInput naming the first turn that is out of order: conversations are as fit_prompt() takes them.
void check_turns(std::span<const tasks::ChatTurn> turns);

}  // namespace picochat::serve
