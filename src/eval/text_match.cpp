#include "picochat/eval/text_match.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "eval/words.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/tasks/rows.hpp"

namespace picochat::eval {
namespace {

bool contains_sequence(const std::vector<std::string>& words, const std::vector<std::string>& sequence) {
  return std::search(words.begin(), words.end(), sequence.begin(), sequence.end()) != words.end();
}

// Words run together: what an echo is compared by, so that spacing and punctuation do not hide it.
std::string compacted(std::string_view text) {
  std::string out;
  for_each_word(fold(text), [&](std::string_view word) { out += word; });
  return out;
}

std::string first_code_points(std::string_view text, size_t count) {
  size_t at = 0;
  for (size_t i = 0; i < count && at < text.size(); ++i) at += base::decode_utf8(text, at).length;
  return std::string(text.substr(0, at));
}

std::map<std::string, int64_t> bag(const std::vector<std::string>& words) {
  std::map<std::string, int64_t> counts;
  for (const auto& word : words) ++counts[word];
  return counts;
}

double f1(double overlap, size_t reply, size_t reference) {
  if (overlap == 0) return 0;
  return 2 * overlap / static_cast<double>(reply + reference);
}

const std::set<std::string, std::less<>>& stop_words() {
  static const std::set<std::string, std::less<>> words = {
      "about", "above", "after", "again", "all", "also", "and", "any", "are", "because", "been", "before", "being", "below",
      "between", "both", "but", "can", "cannot", "could", "did", "does", "doing", "down", "during", "each", "few", "for",
      "from", "further", "had", "has", "have", "having", "her", "here", "hers", "him", "his", "how", "into", "its", "just",
      "may", "might", "more", "most", "must", "nor", "not", "now", "off", "once", "one", "only", "other", "our", "out", "over",
      "own", "same", "she", "should", "some", "such", "than", "that", "the", "their", "them", "then", "there", "these", "they",
      "this", "those", "through", "too", "two", "under", "until", "upon", "very", "was", "were", "what", "when", "where",
      "which", "while", "who", "why", "will", "with", "would", "you", "your"};
  return words;
}

}  // namespace

std::vector<std::string> match_words(std::string_view text, bool case_sensitive) {
  std::vector<std::string> words;
  std::string folded = case_sensitive ? std::string(text) : fold(text);
  for_each_word(folded, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

bool contains_phrase(std::string_view reply, std::string_view phrase, bool case_sensitive) {
  auto sequence = match_words(phrase, case_sensitive);
  const bool literal = sequence.empty() || (sequence.size() == 1 && phrase.find(':') != std::string_view::npos);
  if (!literal) return contains_sequence(match_words(reply, case_sensitive), sequence);
  std::string needle(base::trim(phrase));
  if (case_sensitive) return reply.find(needle) != std::string_view::npos;
  return fold(reply).find(fold(needle)) != std::string::npos;
}

std::vector<std::string> prompt_echo_reasons(std::string_view prompt, std::string_view reply) {
  std::vector<std::string> reasons;
  if (base::trim(reply).empty()) return reasons;
  auto role_label = [](std::string_view line) {
    std::string text = fold(base::trim(line));
    return text.starts_with("user:") || text.starts_with("assistant:");
  };
  auto has_role_label = [&](std::string_view text) {
    auto lines = base::split(text, '\n');
    return std::any_of(lines.begin(), lines.end(), role_label);
  };
  // A prompt that is itself a transcript may be answered in kind.
  if (has_role_label(reply) && !has_role_label(prompt)) reasons.push_back("chat_role_label");

  constexpr size_t kMinChars = 12, kMaxChars = 80;
  std::string asked = compacted(prompt);
  if (base::count_code_points(asked) >= kMinChars) {
    std::string start = first_code_points(asked, kMaxChars), given = compacted(reply);
    if (given.starts_with(start) || given.starts_with("user" + start)) reasons.push_back("starts_with_user_prompt");
  }
  return reasons;
}

std::vector<std::string> answer_candidates(std::string_view reply) {
  static constexpr std::string_view kMarkers[] = {"final answer", "answer", "result", "therefore"};
  // The last line that announces an answer holds it; without one, the last line that has text.
  std::string final_text;
  bool marked = false;
  for (const auto& line : base::split(reply, '\n')) {
    std::string text = fold(line);
    size_t best = std::string::npos;
    for (auto marker : kMarkers) {
      for (size_t at = text.find(marker); at != std::string::npos; at = text.find(marker, at + 1)) {
        size_t end = text.find_first_not_of(" \t", at + marker.size());
        if (end == std::string::npos || (text[end] != ':' && text[end] != '=')) continue;
        if (base::trim(std::string_view(text).substr(end + 1)).empty()) continue;
        best = best == std::string::npos ? end + 1 : std::max(best, end + 1);
      }
    }
    if (best != std::string::npos) {
      final_text = text.substr(best);
      marked = true;
    } else if (!marked && !base::trim(text).empty()) {
      final_text = text;
    }
  }
  std::vector<std::string> candidates;
  auto add = [&](std::string candidate) {
    if (!candidate.empty() && std::find(candidates.begin(), candidates.end(), candidate) == candidates.end())
      candidates.push_back(std::move(candidate));
  };
  add(tasks::normalize_answer(reply));
  std::string final_normalized = tasks::normalize_answer(final_text);
  add(final_normalized);
  if (final_normalized.empty()) return candidates;
  auto tokens = base::split(final_normalized, ' ');
  auto is_number = [](const std::string& token) { return token.find_first_of("0123456789") != std::string::npos; };
  auto number = std::find_if(tokens.rbegin(), tokens.rend(), is_number);
  if (number != tokens.rend()) add(*number);
  add(tokens.back());
  return candidates;
}

double token_f1(std::string_view reply, std::string_view reference) {
  auto a = match_words(reply), b = match_words(reference);
  auto counts = bag(b);
  double overlap = 0;
  for (const auto& word : a)
    if (auto found = counts.find(word); found != counts.end() && found->second-- > 0) ++overlap;
  return f1(overlap, a.size(), b.size());
}

double rouge_l_f1(std::string_view reply, std::string_view reference) {
  auto a = match_words(reply), b = match_words(reference);
  std::vector<int64_t> row(b.size() + 1);
  for (const auto& word : a) {
    int64_t diagonal = 0;
    for (size_t j = 1; j <= b.size(); ++j) {
      int64_t up = row[j];
      row[j] = word == b[j - 1] ? diagonal + 1 : std::max(row[j], row[j - 1]);
      diagonal = up;
    }
  }
  return f1(static_cast<double>(row.back()), a.size(), b.size());
}

double repetition_ngram_rate(std::string_view reply) {
  auto words = match_words(reply);
  if (words.size() < 4) return 0;
  std::set<std::string> seen;
  size_t repeats = 0, total = words.size() - 2;
  for (size_t i = 0; i < total; ++i)
    if (!seen.insert(base::cat(words[i], " ", words[i + 1], " ", words[i + 2])).second) ++repeats;
  return static_cast<double>(repeats) / static_cast<double>(total);
}

double unique_word_rate(std::string_view reply) {
  auto words = match_words(reply);
  if (words.empty()) return 1;
  return static_cast<double>(bag(words).size()) / static_cast<double>(words.size());
}

std::vector<std::string> content_words(std::string_view text) {
  std::vector<std::string> result;
  std::set<std::string> seen;
  for (auto& word : match_words(text))
    if (base::count_code_points(word) >= 3 && !stop_words().contains(word) && seen.insert(word).second)
      result.push_back(std::move(word));
  return result;
}

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (size_t i = 0; i < text.size();) {
    auto point = base::decode_utf8(text, i);
    i += point.length;
    bool space = point.valid && base::char_class(point.value) == base::CharClass::kSpace;
    if (!space && !inside) ++words;
    inside = !space;
  }
  return words;
}

}  // namespace picochat::eval
