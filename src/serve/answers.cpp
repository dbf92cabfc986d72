#include "serve/answers.hpp"

#include <algorithm>

namespace picochat::serve {

Answers::~Answers() {
  for (const auto& generation : all_) generation->cancel();
}

void Answers::submit(Engine& engine, GenerationRequest request) {
  auto generation = engine.submit(std::move(request));
  if (!generation) throw ApiError{.status = 429, .message = "too many requests are waiting; try again later", .param = "", .code = "queue_full"};
  all_.push_back(std::move(generation));
}

void Answers::throw_if_failed(const Generation& generation) {
  if (generation.reason() == FinishReason::kFailed) throw ApiError{.status = 500, .message = generation.error()};
  if (generation.reason() == FinishReason::kCancelled) throw ApiError{.status = 503, .message = "the server is shutting down"};
  if (generation.reason() == FinishReason::kTime && generation.tokens().empty())
    throw ApiError{.status = 504, .message = "no token came within the time that a request may take", .param = "", .code = "timeout"};
}

bool Answers::wait() {
  for (const auto& generation : all_) {
    while (!generation->finished()) {
      generation->wait(0.1);
      if (!generation->finished() && exchange_.client_gone()) return false;
    }
    metrics_.answer(*generation);
    throw_if_failed(*generation);
  }
  return true;
}

bool Answers::send(const base::Json& event) { return exchange_.send("data: " + base::dump(event, -1) + "\n\n"); }

bool Answers::stream(const base::Json& opening, const std::function<base::Json(size_t, const std::string&)>& piece, const std::function<base::Json(size_t)>& last,
                     const std::function<base::Json()>& closing) {
  exchange_.headers.push_back({"Cache-Control", "no-cache"});
  exchange_.begin(200, "text/event-stream");
  if (!opening.is_null() && !send(opening)) return false;
  std::vector<bool> ended(all_.size());
  for (size_t left = all_.size(); left > 0;) {
    const auto slowest = std::find(ended.begin(), ended.end(), false) - ended.begin();
    all_[static_cast<size_t>(slowest)]->wait(all_.size() == 1 ? 0.1 : 0.01);
    for (size_t i = 0; i < all_.size(); ++i) {
      if (ended[i]) continue;
      const bool finished = all_[i]->finished();  // asked before the text is taken: none may come in between
      const std::string text = all_[i]->take_text();
      if (!text.empty() && !send(piece(i, text))) return false;
      if (!finished) continue;
      ended[i] = true;
      --left;
      metrics_.answer(*all_[i]);
      try {
        throw_if_failed(*all_[i]);
      } catch (const ApiError& error) {
        send(error_json(error));
        return true;  // no [DONE]: the client must not take this for a whole answer
      }
      if (!send(last(i))) return false;
    }
    if (exchange_.client_gone()) return false;
  }
  if (closing && !send(closing())) return false;
  return exchange_.send("data: [DONE]\n\n");
}

int64_t Answers::completion_tokens() const {
  int64_t sum = 0;
  for (const auto& generation : all_) sum += static_cast<int64_t>(generation->tokens().size());
  return sum;
}

int64_t Answers::reused_tokens() const {
  int64_t sum = 0;
  for (const auto& generation : all_) sum += generation->reused_tokens();
  return sum;
}

}  // namespace picochat::serve
