#include "serve/metrics.hpp"

#include "picochat/base/text.hpp"

namespace picochat::serve {

using base::cat;

void Metrics::Histogram::add(double seconds) {
  size_t bucket = 0;
  while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
  ++counts[bucket];
  sum += seconds;
  ++total;
}

std::string Metrics::Histogram::text(const std::string& name, const std::string& help) const {
  std::string out = cat("# HELP ", name, " ", help, "\n# TYPE ", name, " histogram\n");
  int64_t below = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    below += counts[i];
    out += cat(name, "_bucket{le=\"", kBounds[i], "\"} ", below, "\n");
  }
  return out + cat(name, "_bucket{le=\"+Inf\"} ", total, "\n", name, "_sum ", sum, "\n", name, "_count ", total, "\n");
}

void Metrics::request(const std::string& route, int status, double seconds) {
  std::lock_guard lock(mutex_);
  ++requests_[{route, status}];
  request_seconds_.add(seconds);
}

void Metrics::answer(const Generation& generation) {
  if (generation.seconds_to_first_token() < 0) return;
  std::lock_guard lock(mutex_);
  first_token_seconds_.add(generation.seconds_to_first_token());
}

std::string Metrics::text(const EngineCounters& engine, int connections) const {
  std::lock_guard lock(mutex_);
  std::string out = "# HELP picochat_requests_total Requests answered.\n# TYPE picochat_requests_total counter\n";
  for (const auto& [key, count] : requests_) out += cat("picochat_requests_total{route=\"", key.first, "\",status=\"", key.second, "\"} ", count, "\n");
  auto one = [&](const char* name, const char* type, const char* help, int64_t value) {
    out += cat("# HELP picochat_", name, " ", help, "\n# TYPE picochat_", name, " ", type, "\npicochat_", name, " ", value, "\n");
  };
  one("generations_total", "counter", "Texts that came to their end.", engine.finished);
  one("generations_cancelled_total", "counter", "Texts whose client went away.", engine.cancelled);
  one("generations_failed_total", "counter", "Texts that ended in an error.", engine.failed);
  one("generations_refused_total", "counter", "Texts refused because the queue was full.", engine.refused);
  one("prompt_tokens_total", "counter", "Tokens of prompts.", engine.prompt_tokens);
  one("prompt_tokens_reused_total", "counter", "Of these, found in the key-value cache.", engine.reused_tokens);
  one("generated_tokens_total", "counter", "Tokens generated.", engine.generated_tokens);
  one("drafted_tokens_total", "counter", "Tokens guessed ahead.", engine.drafted_tokens);
  one("accepted_tokens_total", "counter", "Of these, the model's own choice.", engine.accepted_tokens);
  one("steps_total", "counter", "Steps of the engine, each at least a token for every active text.", engine.steps);
  one("waiting", "gauge", "Texts waiting for a row.", engine.waiting);
  one("active", "gauge", "Texts being generated.", engine.active);
  one("connections", "gauge", "Open connections.", connections);
  return out + request_seconds_.text("picochat_request_seconds", "Seconds from a request to the end of its answer.") +
         first_token_seconds_.text("picochat_first_token_seconds", "Seconds from submission to the first token.");
}

}  // namespace picochat::serve
