#include "serve/choice.hpp"

#include <random>

#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::serve {

model::SamplingOptions ChoiceOptions::sampling(uint64_t seed_to_use) const {
  return {.temperature = temperature, .top_k = top_k, .top_p = top_p, .repetition_penalty = repetition_penalty, .seed = seed_to_use};
}

uint64_t seed_of(const ChoiceOptions& options) {
  if (options.seed) return static_cast<uint64_t>(*options.seed);
  return std::random_device()();
}

std::string token_text(const tokenizer::Tokenizer& tokenizer, TokenId id) {
  if (id < tokenizer::kSpecialTokens) return std::string(tokenizer::kSpecialTokenText[id]);
  const std::string_view bytes = tokenizer.token_bytes(id);
  if (base::is_valid_utf8(bytes)) return std::string(bytes);
  std::string text = "bytes:";
  for (const char& byte : bytes) text += "\\x" + base::hex({&byte, 1});
  return text;
}

int follow(Generation& generation, const std::function<void(const std::string&)>& show) {
  int signal = 0;
  while (!generation.finished()) {
    if (!signal && (signal = base::pending_signal()) != 0) generation.cancel();
    generation.wait(0.05);
    const std::string piece = generation.take_text();
    if (!piece.empty() && !signal) show(piece);
  }
  const std::string rest = generation.take_text();
  if (!rest.empty() && !signal) show(rest);
  return signal;
}

const char* finish_word(FinishReason reason) { return reason == FinishReason::kEnd || reason == FinishReason::kStopString ? "stop" : "length"; }

}  // namespace picochat::serve
