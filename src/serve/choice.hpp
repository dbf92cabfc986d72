// Pieces that `generate`, `chat` and the server share.
#pragma once

#include <functional>

#include "picochat/serve/engine.hpp"
#include "picochat/serve/generate.hpp"

namespace picochat::serve {

// The user's seed, or one of the system's random numbers.
uint64_t seed_of(const ChoiceOptions& options);

// A token as text: its bytes where they are UTF-8, "bytes:\xe2\x82" where they are not, a special token's name.
std::string token_text(const tokenizer::Tokenizer& tokenizer, TokenId id);

// Calls `show` with each piece of text as it comes. A pending signal cancels the generation; returns the signal.
int follow(Generation& generation, const std::function<void(const std::string&)>& show);

// OpenAI's word: "stop" for the model's own end and stop strings, else "length".
const char* finish_word(FinishReason reason);

}  // namespace picochat::serve
