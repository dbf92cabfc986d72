// The text rules of rows: when two prompts or answers are the same, and which rows are placeholders.
#include <array>

#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/pack.hpp"
#include "picochat/tasks/rows.hpp"
#include "picochat/tasks/skill_groups.hpp"

namespace picochat::tasks {
namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  for (std::string_view part : parts) if (contains(text, part)) return true;
  return false;
}

}  // namespace

std::string infer_level(std::string_view split, std::string_view category, bool answerable) {
  std::string text = base::lower_ascii(base::cat(split, " ", category));
  if (contains(text, "smoke")) return "smoke";
  if (contains_any(text, {"memor", "canary"})) return "memorization";
  if (!answerable || contains_any(text, {"adversarial", "safety", "refusal"})) return "adversarial";
  if (contains_any(text, {"transfer", "paraphrase"})) return "transfer";
  if (contains_any(text, {"domain", "knowledge"})) return "domain";
  return "heldout";
}

std::string normalize_prompt(std::string_view text) {
  std::string out;
  bool gap = false;
  for (size_t i = 0; i < text.size();) {
    base::CodePoint point = base::decode_utf8(text, i);
    i += point.length;
    if (base::char_class(point.value) == base::CharClass::kSpace) {
      gap = !out.empty();
      continue;
    }
    if (gap) out += ' ';
    gap = false;
    base::append_utf8(out, base::to_lower(point.value));
  }
  return out;
}

std::string normalize_answer(std::string_view text) {
  // Tokens: numbers with sign, decimals and per cent; runs of letters and digits of any script.
  std::string lower;
  for (size_t i = 0; i < text.size();) {
    base::CodePoint point = base::decode_utf8(text, i);
    i += point.length;
    if (point.value == U',') continue;
    base::append_utf8(lower, base::to_lower(point.value));
  }
  std::string out;
  auto is_digit = [&](size_t i) { return i < lower.size() && lower[i] >= '0' && lower[i] <= '9'; };
  auto put = [&](size_t from, size_t to) {
    if (!out.empty()) out += ' ';
    out.append(lower, from, to - from);
  };
  for (size_t i = 0; i < lower.size();) {
    bool sign = (lower[i] == '-' || lower[i] == '+') && is_digit(i + 1);
    if (sign || is_digit(i)) {
      size_t end = i + 1;
      while (is_digit(end)) ++end;
      if (end < lower.size() && lower[end] == '.' && is_digit(end + 1)) {
        ++end;
        while (is_digit(end)) ++end;
      }
      if (end < lower.size() && lower[end] == '%') ++end;
      put(i, end);
      i = end;
      continue;
    }
    size_t end = i;
    while (end < lower.size() && !is_digit(end)) {
      base::CodePoint point = base::decode_utf8(lower, end);
      base::CharClass kind = base::char_class(point.value);
      if (kind != base::CharClass::kLetter && kind != base::CharClass::kNumber) break;
      end += point.length;
    }
    if (end > i) put(i, end);
    else end = i + base::decode_utf8(lower, i).length;
    i = end;
  }
  return out;
}

bool is_placeholder(const ChatRow& row) {
  for (const ChatTurn& turn : row.turns) if (corpus::is_placeholder(turn.text)) return true;
  return false;
}

bool is_placeholder(const EvalRow& row) {
  if (corpus::is_placeholder(row.user) || corpus::is_placeholder(row.reference_answer)) return true;
  for (const std::string& phrase : row.must_include) if (corpus::is_placeholder(phrase)) return true;
  return false;
}

std::string skill_group(std::string_view category) {
  if (category.starts_with("identity")) return "identity";
  if (contains(category, "refusal")) return "refusal";
  if (category.starts_with("bench_choice") || category.starts_with("mmlu_") || category.starts_with("arc_")) return "choice";
  if (category.starts_with("bench_math_") || category.starts_with("gsm8k")) return "math";
  if (category.starts_with("bench_spelling_")) return "spelling";
  if (category.starts_with("domain_")) return "domain";
  return "other";
}

std::string skill_stage(std::string_view category, std::string_view curriculum_stage) {
  return curriculum_stage.empty() ? std::string() : base::cat(skill_group(category), ":", curriculum_stage);
}

std::string robustness_key(const EvalRow& row) {
  if (!row.robustness_variant.empty()) return row.robustness_variant;
  std::string text = base::lower_ascii(base::cat(row.split, " ", row.level, " ", row.curriculum_stage, " ", row.category));
  for (std::string_view marker : {"paraphrase", "typo", "casing", "punctuation", "adversarial", "wording", "format_shift", "near_word"}) {
    if (contains(text, marker)) return std::string(marker);
  }
  // "case" as a word of its own: it is also part of "casework", "showcase" and the like.
  for (const char* separator : {" ", "_", "-"}) {
    std::string spaced = base::replace_all(text, separator, " ");
    if (contains(base::cat(" ", spaced, " "), " case ")) return "case";
  }
  return {};
}

std::string curriculum_bucket(std::string_view category) {
  std::string text = base::lower_ascii(category);
  // "arc" only as a prefix: it is also part of words such as "search".
  if (contains_any(text, {"math", "spelling", "choice", "mmlu", "gsm", "bench_"}) || text.starts_with("arc")) return "skill";
  if (contains_any(text, {"identity", "refusal", "safety", "honesty", "smoltalk", "behavior"})) return "behavior";
  return "domain";
}

}  // namespace picochat::tasks
