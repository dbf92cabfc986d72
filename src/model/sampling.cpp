#include "picochat/model/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"

namespace picochat::model {

namespace {

struct Candidate {
  double logit;
  TokenId token;
};

// Likelier first; equal logits in the order of their ids.
bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}

void penalise_repetition(std::vector<Candidate>& candidates, std::span<const TokenId> context, double penalty) {
  if (penalty == 1) return;
  std::vector<bool> seen(candidates.size());
  for (TokenId token : context) {
    if (token >= candidates.size() || seen[token]) continue;
    seen[token] = true;
    double& logit = candidates[token].logit;
    logit = logit < 0 ? logit * penalty : logit / penalty;
  }
}

void keep_top_k(std::vector<Candidate>& candidates, int64_t top_k) {
  if (top_k <= 0 || static_cast<size_t>(top_k) >= candidates.size()) return;
  auto kth = candidates.begin() + (top_k - 1);
  std::nth_element(candidates.begin(), kth, candidates.end(), likelier);
  const double threshold = kth->logit;
  std::erase_if(candidates, [&](const Candidate& c) { return c.logit < threshold; });
}

// The k-th largest of the logits: a heap of k values passes over them once, and few of a large vocabulary get into it.
float kth_largest(std::span<const float> logits, size_t k) {
  std::vector<float> heap(logits.begin(), logits.begin() + static_cast<ptrdiff_t>(k));
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  for (float logit : logits.subspan(k)) {
    if (!(logit > heap.front())) continue;
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.back() = logit;
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  }
  return heap.front();
}

// Every token, or those that top_k can keep where nothing else moves them.
std::vector<Candidate> candidates_of(std::span<const float> logits, const SamplingOptions& options) {
  float threshold = -INFINITY;
  if (options.repetition_penalty == 1 && options.temperature > 0 && options.top_k > 0 && static_cast<size_t>(options.top_k) < logits.size())
    threshold = kth_largest(logits, static_cast<size_t>(options.top_k));
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  bool all_numbers = true;
  for (size_t i = 0; i < logits.size(); ++i) {
    all_numbers = all_numbers && !std::isnan(logits[i]);
    if (!(logits[i] < threshold)) candidates.push_back({logits[i], static_cast<TokenId>(i)});
  }
  if (!all_numbers) throw base::internal_error("logits are not numbers: the model has diverged");
  base::require(!candidates.empty(), "there is a token to choose from");
  return candidates;
}

// The likeliest candidates until their probabilities cross top_p. A heap yields them in order without sorting the
// long tail that is dropped.
void keep_top_p(std::vector<Candidate>& candidates, double top_p) {
  if (top_p >= 1) return;
  double largest = -INFINITY, total = 0;
  for (const Candidate& c : candidates) largest = std::max(largest, c.logit);
  for (const Candidate& c : candidates) total += std::exp(c.logit - largest);
  auto less_likely = [](const Candidate& a, const Candidate& b) { return likelier(b, a); };
  std::make_heap(candidates.begin(), candidates.end(), less_likely);
  std::vector<Candidate> kept;
  double cumulative = 0;
  while (!candidates.empty() && cumulative <= top_p * total) {
    std::pop_heap(candidates.begin(), candidates.end(), less_likely);
    kept.push_back(candidates.back());
    candidates.pop_back();
    cumulative += std::exp(kept.back().logit - largest);
  }
  candidates = std::move(kept);
}

double uniform_draw(uint64_t seed, uint64_t sequence, uint64_t position) {
  const auto bits = base::philox({static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                                  static_cast<uint32_t>(sequence), static_cast<uint32_t>(sequence >> 32)},
                                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return static_cast<double>((static_cast<uint64_t>(bits[1]) << 32 | bits[0]) >> 11) * 0x1.0p-53;
}

TokenId draw(const std::vector<Candidate>& candidates, double uniform) {
  double largest = -INFINITY, total = 0;
  for (const Candidate& c : candidates) largest = std::max(largest, c.logit);
  for (const Candidate& c : candidates) total += std::exp(c.logit - largest);
  double left = uniform * total;
  const Candidate* last = nullptr;
  for (const Candidate& c : candidates) {
    const double weight = std::exp(c.logit - largest);
    if (weight == 0) continue;
    last = &c;
    if (left < weight) return c.token;
    left -= weight;
  }
  return last->token;  // rounding at the very end of the range
}

}  // namespace

void SamplingOptions::validate(const std::string& where) const {
  auto refuse = [&](const char* name, const char* expected, const std::string& found) {
    throw base::usage_error(
        {.what = base::cat(name, " is out of range"), .where = where, .expected = expected, .found = found});
  };
  if (!(temperature >= 0) || !std::isfinite(temperature)) refuse("temperature", "0 or more", base::cat(temperature));
  if (top_k < 0) refuse("top_k", "0 (off) or more", base::cat(top_k));
  if (!(top_p > 0 && top_p <= 1)) refuse("top_p", "more than 0, at most 1", base::cat(top_p));
  if (!(repetition_penalty > 0) || !std::isfinite(repetition_penalty))
    refuse("repetition_penalty", "more than 0", base::cat(repetition_penalty));
}

TokenId sample(std::span<const float> logits, std::span<const TokenId> context, const SamplingOptions& options,
               uint64_t sequence, uint64_t position) {
  std::vector<Candidate> candidates = candidates_of(logits, options);
  penalise_repetition(candidates, context, options.repetition_penalty);
  if (options.temperature == 0) return std::min_element(candidates.begin(), candidates.end(), likelier)->token;
  for (Candidate& c : candidates) c.logit /= options.temperature;
  keep_top_k(candidates, options.top_k);
  // One order whatever was kept, so that the draw does not depend on how the library partitions.
  if (options.top_k > 0) std::sort(candidates.begin(), candidates.end(), likelier);
  keep_top_p(candidates, options.top_p);
  return draw(candidates, uniform_draw(options.seed, sequence, position));
}

}  // namespace picochat::model
