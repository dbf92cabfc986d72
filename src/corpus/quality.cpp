#include "picochat/corpus/quality.hpp"

#include <algorithm>
#include <cstring>

#include <simdjson.h>

#include "picochat/base/digest.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/document.hpp"

namespace picochat::corpus {
namespace {

constexpr const char* kFlagNames[] = {"short_document", "small_document", "long_single_line", "high_duplicate_lines", "duplicate_lines",
                                      "many_empty_lines", "high_non_ascii", "non_ascii", "extraction_noise"};

struct ByteCounts {
  size_t non_ascii = 0;      // bytes >= 0x80
  size_t continuation = 0;   // bytes 10xxxxxx
  bool control = false;      // below 32 except \n \r \t
};

// Counts in blocks that fit narrow counters, so that the compiler can use byte-wide vectors.
ByteCounts count_bytes(std::string_view text) {
  ByteCounts total;
  uint8_t control = 0;
  const auto* bytes = reinterpret_cast<const signed char*>(text.data());
  for (size_t start = 0; start < text.size(); start += 128) {
    const size_t n = std::min<size_t>(128, text.size() - start);
    uint8_t high = 0, continuation = 0;
    for (size_t i = 0; i < n; ++i) {
      const signed char c = bytes[start + i];
      high += c < 0;
      continuation += c < -64;  // 0x80..0xBF as signed
      control |= static_cast<uint8_t>((c >= 0) & (c < 32) & (c != '\n') & (c != '\r') & (c != '\t'));
    }
    total.non_ascii += high;
    total.continuation += continuation;
  }
  total.control = control != 0;
  return total;
}

void count_characters(std::string_view text, DocumentProfile& profile) {
  const ByteCounts counts = count_bytes(text);
  profile.noise = counts.control;
  profile.characters = static_cast<int64_t>(text.size());
  if (counts.non_ascii == 0) return;
  if (simdjson::validate_utf8(text.data(), text.size())) {
    profile.characters = static_cast<int64_t>(text.size() - counts.continuation);
    profile.non_ascii = static_cast<int64_t>(counts.non_ascii - counts.continuation);
    profile.noise = profile.noise || text.find("\xEF\xBF\xBD") != std::string_view::npos;
    return;
  }
  profile.invalid_utf8 = profile.noise = true;
  profile.characters = static_cast<int64_t>(base::count_code_points(text));
  profile.non_ascii = profile.characters - static_cast<int64_t>(text.size() - counts.non_ascii);
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

void score(DocumentProfile& profile) {
  int score = 100;
  uint32_t flags = 0;
  auto dock = [&](int points, uint32_t flag) { score -= points, flags |= flag; };
  auto rate = [](int64_t part, int64_t whole) { return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole); };
  if (profile.characters < 200) dock(25, kShortDocument);
  else if (profile.characters < 1000) dock(10, kSmallDocument);
  if (profile.nonempty_lines <= 1 && profile.characters > 500) dock(10, kLongSingleLine);
  const double duplicates = rate(profile.duplicate_lines, profile.nonempty_lines);
  if (duplicates > 0.30) dock(25, kHighDuplicateLines);
  else if (duplicates > 0.10) dock(10, kDuplicateLines);
  if (rate(profile.lines - profile.nonempty_lines, profile.lines) > 0.50) dock(10, kManyEmptyLines);
  const double non_ascii = rate(profile.non_ascii, profile.characters);
  if (non_ascii > 0.10) dock(15, kHighNonAscii);
  else if (non_ascii > 0.05) dock(8, kNonAscii);
  if (profile.noise) dock(25, kExtractionNoise);
  profile.score = std::clamp(score, 0, 100);
  profile.flags = flags;
}

}  // namespace

std::vector<std::string> quality_flag_names(uint32_t flags) {
  std::vector<std::string> names;
  for (size_t i = 0; i < std::size(kFlagNames); ++i)
    if (flags & (1u << i)) names.emplace_back(kFlagNames[i]);
  return names;
}

DocumentProfile DocumentProfiler::profile(std::string_view text, std::vector<uint64_t>* line_hashes) {
  DocumentProfile profile;
  count_characters(text, profile);

  lines_.clear();
  for (size_t start = 0; start < text.size();) {
    const void* newline = std::memchr(text.data() + start, '\n', text.size() - start);
    const size_t end = newline ? static_cast<size_t>(static_cast<const char*>(newline) - text.data()) : text.size();
    size_t first = start, last = end;
    while (first < last && is_space(text[first])) ++first;
    while (last > first && is_space(text[last - 1])) --last;
    ++profile.lines;
    if (first < last) lines_.push_back(base::hash64(text.substr(first, last - first)));
    start = end + 1;
  }
  profile.nonempty_lines = static_cast<int64_t>(lines_.size());
  profile.blank = lines_.empty();
  if (line_hashes) line_hashes->insert(line_hashes->end(), lines_.begin(), lines_.end());
  std::sort(lines_.begin(), lines_.end());
  profile.duplicate_lines = lines_.end() - std::unique(lines_.begin(), lines_.end());

  normalized_.clear();
  append_normalized(normalized_, text);
  profile.hash = base::hash64(normalized_);
  score(profile);
  return profile;
}

}  // namespace picochat::corpus
