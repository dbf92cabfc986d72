// What a request and the engine share.
#pragma once

#include <condition_variable>
#include <mutex>

#include "picochat/base/clock.hpp"
#include "picochat/serve/engine.hpp"

namespace picochat::serve {

struct Generation::State {
  explicit State(bool watched) : watched(watched) {}
  const bool watched;
  const double submitted = base::monotonic_seconds();

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::string fresh;  // not taken yet
  bool cancelled = false, finished = false;

  // Written by the engine before `finished`, under the mutex; read by the owner after it.
  FinishReason reason = FinishReason::kEnd;
  std::string text, error;
  std::vector<TokenId> tokens;
  std::vector<ScoredToken> scored, scored_prompt;
  int64_t reused_tokens = 0;
  double first_token = -1, ended = -1;

  bool is_cancelled() const {
    std::lock_guard lock(mutex);
    return cancelled;
  }
  void add_text(const std::string& piece) {
    if (piece.empty()) return;
    std::lock_guard lock(mutex);
    text += piece;
    if (!watched) return;
    fresh += piece;
    changed.notify_all();
  }
  void finish(FinishReason why, const std::string& problem = "") {
    std::lock_guard lock(mutex);
    reason = why;
    error = problem;
    ended = base::monotonic_seconds();
    finished = true;
    changed.notify_all();
  }
};

}  // namespace picochat::serve
