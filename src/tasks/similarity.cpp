#include "picochat/tasks/similarity.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include "picochat/base/digest.hpp"
#include "picochat/base/threads.hpp"
#include "picochat/tasks/word_scan.hpp"

namespace picochat::tasks {
namespace {

constexpr size_t kBins = 32;

// What the filters need of a text, computed once.
struct Profile {
  std::string_view text;
  std::vector<uint64_t> words;  // hashes, sorted, unique
  uint64_t numbers = 0;         // sum of the hashes of its numbers and signs: equal multisets, equal sums
  std::array<uint16_t, kBins> bytes{};
};

Profile profile_of(std::string_view text) {
  Profile out;
  out.text = text;
  for (size_t i = 0; i < text.size();) {
    size_t end = std::min(text.find(' ', i), text.size());
    std::string_view word = text.substr(i, end - i);
    if (!word.empty()) {
      uint64_t hash = base::hash64(word);
      out.words.push_back(hash);
      bool number = std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
      bool sign = word.size() == 1 && std::string_view("+-*/=<>^").find(word[0]) != std::string_view::npos;
      if (number || sign) out.numbers += hash;
    }
    i = end + 1;
  }
  std::sort(out.words.begin(), out.words.end());
  out.words.erase(std::unique(out.words.begin(), out.words.end()), out.words.end());
  for (unsigned char c : text) {
    uint16_t& bin = out.bytes[c % kBins];
    if (bin < 0xFFFF) ++bin;
  }
  return out;
}

double jaccard(const Profile& a, const Profile& b) {
  if (a.words.empty() && b.words.empty()) return 1;
  size_t common = 0, i = 0, j = 0;
  while (i < a.words.size() && j < b.words.size()) {
    if (a.words[i] == b.words[j]) ++common, ++i, ++j;
    else if (a.words[i] < b.words[j]) ++i;
    else ++j;
  }
  return static_cast<double>(common) / static_cast<double>(a.words.size() + b.words.size() - common);
}

double ratio(size_t common, const Profile& a, const Profile& b) {
  size_t both = a.text.size() + b.text.size();
  return both == 0 ? 1 : 2.0 * static_cast<double>(common) / static_cast<double>(both);
}

// Length of the longest common subsequence, 64 positions of the pattern at a time
// (Hyyro, "Bit-parallel LCS-length computation revisited", 2004).
class LcsPattern {
 public:
  explicit LcsPattern(std::string_view pattern) : size_(pattern.size()), blocks_((pattern.size() + 63) / 64) {
    masks_.assign(256 * blocks_, 0);
    for (size_t i = 0; i < pattern.size(); ++i) {
      masks_[static_cast<unsigned char>(pattern[i]) * blocks_ + i / 64] |= uint64_t{1} << (i % 64);
    }
    state_.resize(blocks_);
  }

  size_t length_with(std::string_view text) {
    std::fill(state_.begin(), state_.end(), ~uint64_t{0});
    for (unsigned char c : text) {
      const uint64_t* match = &masks_[c * blocks_];
      uint64_t carry = 0;
      for (size_t k = 0; k < blocks_; ++k) {
        uint64_t v = state_[k], u = v & match[k];
        uint64_t sum = v + u;
        uint64_t overflow = sum < v;
        sum += carry;
        overflow |= sum < carry;
        state_[k] = sum | (v - u);
        carry = overflow;
      }
    }
    size_t zeros = 0;
    for (size_t k = 0; k < blocks_; ++k) {
      uint64_t bits = ~state_[k];
      if (k + 1 == blocks_ && size_ % 64 != 0) bits &= (uint64_t{1} << (size_ % 64)) - 1;
      zeros += static_cast<size_t>(__builtin_popcountll(bits));
    }
    return zeros;
  }

 private:
  size_t size_, blocks_;
  std::vector<uint64_t> masks_, state_;
};

// Similarity of the pair when it reaches `threshold`, else a value below it.
double similarity(const Profile& a, LcsPattern& pattern, const Profile& b, double threshold) {
  if (a.numbers != b.numbers) return 0;
  if (a.text == b.text) return 1;
  double best = 0;
  size_t small_words = std::min(a.words.size(), b.words.size()), large_words = std::max(a.words.size(), b.words.size());
  if (large_words > 0 && static_cast<double>(small_words) / static_cast<double>(large_words) >= threshold) best = jaccard(a, b);
  // A common subsequence has no more of any byte than either text has.
  if (ratio(std::min(a.text.size(), b.text.size()), a, b) < std::max(best, threshold)) return best;
  size_t bound = 0;
  for (size_t k = 0; k < kBins; ++k) bound += std::min(a.bytes[k], b.bytes[k]);
  if (ratio(bound, a, b) < std::max(best, threshold)) return best;
  return std::max(best, ratio(pattern.length_with(b.text), a, b));
}

std::vector<Profile> profiles_of(std::span<const std::string> texts) {
  std::vector<Profile> out;
  out.reserve(texts.size());
  for (const std::string& text : texts) out.push_back(profile_of(text));
  return out;
}

}  // namespace

std::string comparison_text(std::string_view text) {
  struct Sink {
    std::string out;
    void begin(size_t) {
      if (!out.empty()) out += ' ';
    }
    void put(char c) { out += c; }
    void end(size_t, bool) {}
  } sink;
  scan_words(text, sink);
  return std::move(sink.out);
}

double prompt_similarity(std::string_view a, std::string_view b) {
  LcsPattern pattern(a);
  return similarity(profile_of(a), pattern, profile_of(b), 0);
}

std::vector<NearPair> near_pairs(std::span<const std::string> list, double threshold) {
  std::vector<Profile> profiles = profiles_of(list);
  std::vector<std::vector<NearPair>> found(list.size());
  base::parallel_for(list.size(), [&](size_t i) {
    LcsPattern pattern(profiles[i].text);
    for (size_t j = i + 1; j < profiles.size(); ++j) {
      double value = similarity(profiles[i], pattern, profiles[j], threshold);
      if (value >= threshold) found[i].push_back({i, j, value});
    }
  });
  std::vector<NearPair> out;
  for (auto& part : found) out.insert(out.end(), part.begin(), part.end());
  return out;
}

std::vector<NearPair> near_pairs(std::span<const std::string> queries, std::span<const std::string> references,
                                 double threshold) {
  std::vector<Profile> left = profiles_of(queries), right = profiles_of(references);
  std::vector<std::vector<NearPair>> found(left.size());
  base::parallel_for(left.size(), [&](size_t i) {
    LcsPattern pattern(left[i].text);
    for (size_t j = 0; j < right.size(); ++j) {
      double value = similarity(left[i], pattern, right[j], threshold);
      if (value >= threshold) found[i].push_back({i, j, value});
    }
  });
  std::vector<NearPair> out;
  for (auto& part : found) out.insert(out.end(), part.begin(), part.end());
  return out;
}

std::vector<Nearest> nearest(std::span<const std::string> queries, std::span<const std::string> references, double floor) {
  std::vector<Profile> left = profiles_of(queries), right = profiles_of(references);
  std::vector<Nearest> out(left.size());
  base::parallel_for(left.size(), [&](size_t i) {
    LcsPattern pattern(left[i].text);
    Nearest best{static_cast<size_t>(-1), floor};
    for (size_t j = 0; j < right.size(); ++j) {
      double value = similarity(left[i], pattern, right[j], best.similarity);
      if (value > best.similarity || (best.index == static_cast<size_t>(-1) && value >= floor && value > 0)) best = {j, value};
    }
    out[i] = best;
  });
  return out;
}

}  // namespace picochat::tasks
