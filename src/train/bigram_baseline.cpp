#include "picochat/train/bigram_baseline.hpp"

#include <algorithm>
#include <cmath>

namespace picochat::train {
namespace {

uint64_t pair_of(int32_t left, int32_t right) { return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right); }

// p(w | v) = max(c(vw) - D, 0) / c(v) + D * N1+(v .) / c(v) * p_continuation(w), where p_continuation(w) is the share of
// distinct pairs that end in w, itself interpolated with the uniform distribution so that no token has probability 0.
class Bigram {
 public:
  Bigram(const TokenStream& train, int64_t vocab_size) : vocab_(static_cast<size_t>(vocab_size)), totals_(vocab_), followers_(vocab_), leaders_(vocab_) {
    constexpr int64_t kChunk = 1 << 20;
    std::vector<int32_t> tokens;
    std::vector<uint64_t> pairs;
    pairs.reserve(static_cast<size_t>(train.size()));
    int32_t previous = -1;
    for (int64_t at = 0; at < train.size(); at += kChunk) {
      tokens.resize(static_cast<size_t>(std::min(kChunk, train.size() - at)));
      train.read(at, tokens);
      for (int32_t token : tokens) {
        if (previous >= 0) pairs.push_back(pair_of(previous, token));
        previous = token;
      }
    }
    std::sort(pairs.begin(), pairs.end());
    double once = 0, twice = 0;
    for (size_t i = 0; i < pairs.size();) {
      size_t end = i;
      while (end < pairs.size() && pairs[end] == pairs[i]) ++end;
      const auto count = static_cast<double>(end - i);
      keys_.push_back(pairs[i]);
      counts_.push_back(count);
      const auto left = static_cast<size_t>(pairs[i] >> 32), right = static_cast<size_t>(pairs[i] & 0xffffffff);
      totals_[left] += count;
      followers_[left] += 1;
      leaders_[right] += 1;
      once += count == 1;
      twice += count == 2;
      i = end;
    }
    discount_ = once > 0 ? once / (once + 2 * twice) : 0.5;
    for (double leaders : leaders_) used_ += leaders > 0;
  }

  double log_probability(int32_t left, int32_t right) const {
    const double lower = continuation(static_cast<size_t>(right)), total = totals_[static_cast<size_t>(left)];
    if (total == 0) return std::log(lower);
    const uint64_t key = pair_of(left, right);
    const auto found = std::lower_bound(keys_.begin(), keys_.end(), key);
    const double count = found != keys_.end() && *found == key ? counts_[static_cast<size_t>(found - keys_.begin())] : 0;
    return std::log(std::max(count - discount_, 0.0) / total + discount_ * followers_[static_cast<size_t>(left)] / total * lower);
  }

 private:
  double continuation(size_t token) const {
    const auto pairs = static_cast<double>(keys_.size());
    return std::max(leaders_[token] - discount_, 0.0) / pairs + discount_ * used_ / pairs / static_cast<double>(vocab_);
  }
  size_t vocab_;
  std::vector<uint64_t> keys_;
  std::vector<double> counts_, totals_, followers_, leaders_;
  double discount_ = 0.5, used_ = 0;
};

}  // namespace

ValidationResult bigram_baseline(const TokenStream& train, const TokenStream& validation, int64_t context_size, int64_t vocab_size,
                                 const std::vector<uint32_t>& byte_lengths) {
  const Bigram bigram(train, vocab_size);
  std::vector<SequenceScore> scores;
  std::vector<int32_t> tokens(static_cast<size_t>(context_size) + 1);
  for (int64_t window = 0; window < (validation.size() - 1) / context_size; ++window) {
    validation.read(window * context_size, tokens);
    SequenceScore score;
    for (size_t i = 0; i + 1 < tokens.size(); ++i)
      score.add(-bigram.log_probability(tokens[i], tokens[i + 1]), byte_lengths[static_cast<size_t>(tokens[i + 1])]);
    scores.push_back(score);
  }
  return summarize(scores);
}

}  // namespace picochat::train
