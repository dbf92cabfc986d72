#include "picochat/model/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "model/kernels/table.hpp"
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

// Whether top_k drops any of `count` tokens.
bool drops(int64_t top_k, size_t count) { return top_k > 0 && static_cast<size_t>(top_k) < count; }

void keep_top_k(std::vector<Candidate>& candidates, int64_t top_k) {
  if (!drops(top_k, candidates.size())) return;
  auto kth = candidates.begin() + (top_k - 1);
  std::nth_element(candidates.begin(), kth, candidates.end(), likelier);
  const double threshold = kth->logit;
  std::erase_if(candidates, [&](const Candidate& c) { return c.logit < threshold; });
}

// Those of the tokens that top_k can keep, seldom many more: what reaches the k-th largest of the maxima of their blocks, which k
// tokens at least do. Most blocks are passed over whole.
std::vector<Candidate> likeliest_candidates(std::span<const float> logits, size_t k) {
  constexpr auto kBlock = static_cast<size_t>(kernels::kMaximaBlock);
  static thread_local std::vector<float> maxima, sorted;
  maxima.resize((logits.size() + kBlock - 1) / kBlock);
  kernels::sampling_table().block_maxima(logits.data(), static_cast<int64_t>(logits.size()), maxima.data());
  float threshold = -INFINITY;
  if (k <= maxima.size()) {
    sorted = maxima;
    const auto kth = sorted.begin() + static_cast<ptrdiff_t>(k - 1);
    std::nth_element(sorted.begin(), kth, sorted.end(), std::greater<>());
    threshold = *kth;
  }
  std::vector<Candidate> candidates;
  candidates.reserve(2 * k);
  for (size_t block = 0; block < maxima.size(); ++block) {
    if (maxima[block] < threshold) continue;
    for (size_t i = block * kBlock; i < std::min(logits.size(), (block + 1) * kBlock); ++i)
      if (logits[i] >= threshold) candidates.push_back({logits[i], static_cast<TokenId>(i)});
  }
  return candidates;
}

// Every token, or those that top_k can keep where nothing else moves them.
std::vector<Candidate> candidates_of(std::span<const float> logits, const SamplingOptions& options) {
  if (options.repetition_penalty == 1 && options.temperature > 0 && drops(options.top_k, logits.size()))
    return likeliest_candidates(logits, static_cast<size_t>(options.top_k));
  std::vector<Candidate> candidates;
  candidates.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) candidates.push_back({logits[i], static_cast<TokenId>(i)});
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

// The first index at which the weights, added up, exceed `left`, which becomes what is left for it; the last with a weight when rounding leaves none.
template <typename T>
size_t pick(std::span<const T> weights, double& left) {
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    last = i;
    if (left < weights[i]) break;
    left -= weights[i];
  }
  return last;
}

TokenId draw(const std::vector<Candidate>& candidates, double uniform) {
  double largest = -INFINITY, total = 0;
  for (const Candidate& c : candidates) largest = std::max(largest, c.logit);
  std::vector<double> weights;
  weights.reserve(candidates.size());
  for (const Candidate& c : candidates) total += weights.emplace_back(std::exp(c.logit - largest));
  double left = uniform * total;
  return candidates[pick<double>(weights, left)].token;
}

// Of all tokens, none of them moved: candidates of a whole vocabulary would cost as much as a step of a small model.
TokenId draw_from_all(std::span<const float> logits, float largest, double temperature, double uniform) {
  constexpr auto kBlock = static_cast<size_t>(kernels::kSamplingBlock);
  static thread_local std::vector<float> weights;
  static thread_local std::vector<double> sums;
  weights.resize(logits.size());
  sums.resize((logits.size() + kBlock - 1) / kBlock);
  const auto scale = static_cast<float>(std::min(1 / temperature, 1e30));
  double left = uniform * kernels::sampling_table().weights(logits.data(), static_cast<int64_t>(logits.size()), largest, scale, weights.data(), sums.data());
  const size_t first = pick<double>(sums, left) * kBlock;
  return static_cast<TokenId>(first + pick(std::span<const float>(weights).subspan(first, std::min(kBlock, logits.size() - first)), left));
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
  base::require(!logits.empty(), "there is a token to choose from");
  const float largest = kernels::sampling_table().largest(logits.data(), static_cast<int64_t>(logits.size()));
  if (std::isnan(largest)) throw base::internal_error("logits are not numbers: the model has diverged");
  if (options.repetition_penalty == 1) {
    if (options.temperature == 0) return static_cast<TokenId>(std::find(logits.begin(), logits.end(), largest) - logits.begin());
    if (!drops(options.top_k, logits.size()) && options.top_p >= 1 && std::isfinite(largest))
      return draw_from_all(logits, largest, options.temperature, uniform_draw(options.seed, sequence, position));
  }
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

void sample_each(std::span<Draw> draws) {
#pragma omp parallel for schedule(static) if (draws.size() > 1)
  for (Draw& draw : draws) {
    try {
      draw.token = sample(draw.logits, draw.context, draw.options, draw.sequence, draw.position);
    } catch (...) {
      draw.error = std::current_exception();
    }
  }
}

}  // namespace picochat::model
