#include <chrono>

#include "picochat/base/error.hpp"
#include "serve/generation_state.hpp"

namespace picochat::serve {

std::string to_text(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEnd: return "end";
    case FinishReason::kStopString: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kContext: return "context";
    case FinishReason::kTime: return "time";
    case FinishReason::kCancelled: return "cancelled";
    case FinishReason::kFailed: return "failed";
  }
  return "";
}

Generation::Generation(std::unique_ptr<State> state) : state_(std::move(state)) {}
Generation::~Generation() = default;

void Generation::wait(double seconds) {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, std::chrono::duration<double>(seconds), [this] { return state_->finished || !state_->fresh.empty(); });
}

std::string Generation::take_text() {
  std::lock_guard lock(state_->mutex);
  return std::exchange(state_->fresh, "");
}

bool Generation::finished() const {
  std::lock_guard lock(state_->mutex);
  return state_->finished;
}

void Generation::cancel() {
  std::lock_guard lock(state_->mutex);
  state_->cancelled = true;
}

FinishReason Generation::reason() const { return state_->reason; }
const std::string& Generation::text() const { return state_->text; }
const std::vector<TokenId>& Generation::tokens() const { return state_->tokens; }
const std::vector<ScoredToken>& Generation::scored() const { return state_->scored; }
const std::vector<ScoredToken>& Generation::scored_prompt() const { return state_->scored_prompt; }
int64_t Generation::reused_tokens() const { return state_->reused_tokens; }
double Generation::seconds_to_first_token() const { return state_->first_token < 0 ? -1 : state_->first_token - state_->submitted; }
double Generation::seconds() const { return state_->ended - state_->submitted; }
const std::string& Generation::error() const { return state_->error; }

}  // namespace picochat::serve
