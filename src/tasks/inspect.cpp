#include "picochat/tasks/inspect.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/tasks/similarity.hpp"
#include "picochat/tasks/skill_groups.hpp"
#include "tasks/choice_letters.hpp"

namespace picochat::tasks {
namespace {

using base::cat;
using base::Json;

constexpr double kNearDuplicate = 0.90;
constexpr size_t kSamples = 5, kIssues = 8, kPreview = 3;
// Near duplicates of a larger file are measured on the rows of smallest hash; the report says how many.
constexpr size_t kNearDuplicateRows = 10'000;

// What the two kinds of rows have in common for a report.
struct Item {
  std::string prompt, answer, category, group, style;
  int64_t line;
};

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (size_t i = 0; i < text.size();) {
    base::CodePoint point = base::decode_utf8(text, i);
    i += point.length;
    bool space = base::char_class(point.value) == base::CharClass::kSpace;
    if (!space && !inside) ++words;
    inside = !space;
  }
  return words;
}

std::string brief(std::string_view text, size_t limit = 120) {
  if (text.size() <= limit) return std::string(text);
  size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return cat(text.substr(0, end), "...");
}

// A template's name: the group without up to two trailing "-7" or "_7".
std::string template_family(const Item& item) {
  if (item.group.empty()) return cat("ungrouped:", item.category);
  std::string name = item.group;
  for (int pass = 0; pass < 2; ++pass) {
    size_t digits = name.find_last_not_of("0123456789");
    if (digits == std::string::npos || digits + 1 == name.size() || (name[digits] != '-' && name[digits] != '_') || digits == 0) break;
    name.resize(digits);
  }
  return name;
}

std::string style_of(const std::string& answer) {
  bool scratchpad = answer.find("Scratchpad:") != std::string::npos && answer.find("Final answer:") != std::string::npos;
  return scratchpad ? "scratchpad" : "direct";
}

template <typename Key>
Json counts_json(const std::map<Key, int64_t>& counts) {
  Json out = Json::object();
  for (const auto& [key, count] : counts) out[key] = count;
  return out;
}

Json length_distribution(const std::vector<Item>& items) {
  std::vector<int64_t> chars, words;
  for (const Item& item : items) {
    if (item.answer.empty()) continue;
    chars.push_back(static_cast<int64_t>(base::count_code_points(item.answer)));
    words.push_back(count_words(item.answer));
  }
  Json out = {{"count", static_cast<int64_t>(chars.size())}};
  auto put = [&](const char* unit, const std::vector<int64_t>& values) {
    double sum = 0;
    for (int64_t v : values) sum += static_cast<double>(v);
    out[cat("min_", unit)] = values.empty() ? 0 : *std::min_element(values.begin(), values.end());
    out[cat("max_", unit)] = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
    out[cat("avg_", unit)] = values.empty() ? 0.0 : rounded(sum / static_cast<double>(values.size()));
  };
  put("chars", chars);
  put("words", words);
  return out;
}

struct Entropy {
  double bits = 0, normalized = 0;
};

Entropy entropy_of(const std::map<std::string, int64_t>& counts) {
  double total = 0;
  for (const auto& [key, count] : counts) total += static_cast<double>(count);
  Entropy out;
  for (const auto& [key, count] : counts) {
    double p = static_cast<double>(count) / total;
    out.bits -= p * std::log2(p);
  }
  if (counts.size() > 1) out.normalized = out.bits / std::log2(static_cast<double>(counts.size()));
  out.bits = std::abs(out.bits);
  return out;
}

// Similar prompts with one answer: the same question in slightly other words. Similar prompts with
// different answers are a template at work, and no duplicates.
struct NearDuplicates {
  int64_t pairs = 0, rows = 0, compared = 0;
  Json samples = Json::array();
};

NearDuplicates near_duplicates(const std::vector<Item>& items) {
  std::vector<size_t> chosen(items.size());
  for (size_t i = 0; i < items.size(); ++i) chosen[i] = i;
  if (chosen.size() > kNearDuplicateRows) {
    std::vector<uint64_t> keys;
    for (const Item& item : items) keys.push_back(base::hash64(item.prompt));
    std::nth_element(chosen.begin(), chosen.begin() + kNearDuplicateRows, chosen.end(), [&](size_t a, size_t b) {
      return keys[a] != keys[b] ? keys[a] < keys[b] : a < b;
    });
    chosen.resize(kNearDuplicateRows);
    std::sort(chosen.begin(), chosen.end());
  }
  // Only rows with one answer are compared with each other.
  std::map<std::string, std::vector<size_t>> by_answer;
  for (size_t i : chosen) by_answer[normalize_prompt(items[i].answer)].push_back(i);
  NearDuplicates out;
  out.compared = static_cast<int64_t>(chosen.size());
  std::vector<std::pair<std::pair<size_t, size_t>, double>> pairs;
  for (const auto& [answer, members] : by_answer) {
    std::vector<std::string> texts;
    std::vector<size_t> rows;
    std::set<std::string> seen;  // exact duplicates are counted elsewhere
    for (size_t i : members) {
      if (!seen.insert(normalize_prompt(items[i].prompt)).second) continue;
      texts.push_back(comparison_text(items[i].prompt));
      rows.push_back(i);
    }
    for (const NearPair& pair : near_pairs(texts, kNearDuplicate)) {
      pairs.push_back({{rows[pair.a], rows[pair.b]}, pair.similarity});
    }
  }
  std::sort(pairs.begin(), pairs.end());
  std::set<size_t> touched;
  for (const auto& [ends, similarity] : pairs) {
    touched.insert(ends.second);
    if (out.samples.size() < kSamples) {
      out.samples.push_back({{"line", items[ends.second].line}, {"matched_line", items[ends.first].line},
                             {"similarity", rounded(similarity)}, {"user", brief(items[ends.second].prompt)},
                             {"matched_user", brief(items[ends.first].prompt)}});
    }
  }
  out.pairs = static_cast<int64_t>(pairs.size());
  out.rows = static_cast<int64_t>(touched.size());
  return out;
}

std::string curriculum_label(const std::map<std::string, int64_t>& buckets, int64_t total, const char* kind) {
  auto share = [&](const char* name) {
    auto it = buckets.find(name);
    return it == buckets.end() || total == 0 ? 0.0 : static_cast<double>(it->second) / static_cast<double>(total);
  };
  if (share("behavior") >= 0.2 && share("skill") >= 0.2) return cat("mixed_behavior_skill_", kind);
  for (const char* name : {"skill", "behavior", "domain"}) {
    if (share(name) >= 0.7) return cat(name, "_", kind);
  }
  return cat("mixed_", kind);
}

// The part of a report that both kinds of files share. `warnings` collects quality warnings.
struct Common {
  Json json = Json::object();
  double duplicate_rate = 0;
  std::vector<std::string> warnings;
};

Common describe(const std::vector<Item>& items, const char* kind, size_t entropy_rows, double duplicate_limit) {
  Common out;
  const auto total = static_cast<int64_t>(items.size());
  std::map<std::string, int64_t> categories, families, styles, buckets;
  std::unordered_map<std::string, int64_t> first_line;
  int64_t duplicates = 0, user_chars = 0;
  Json duplicate_samples = Json::array();
  for (const Item& item : items) {
    ++categories[item.category];
    ++families[template_family(item)];
    ++styles[item.style];
    ++buckets[curriculum_bucket(item.category)];
    user_chars += static_cast<int64_t>(base::count_code_points(item.prompt));
    auto [it, fresh] = first_line.emplace(normalize_prompt(item.prompt), item.line);
    if (fresh) continue;
    ++duplicates;
    if (duplicate_samples.size() < kSamples) {
      duplicate_samples.push_back({{"line", item.line}, {"first_line", it->second}, {"user", brief(item.prompt)}});
    }
  }
  Entropy entropy = entropy_of(categories);
  NearDuplicates near = near_duplicates(items);
  auto rate = [&](int64_t count) { return total == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(total); };
  out.duplicate_rate = rate(duplicates);
  double near_rate = near.compared == 0 ? 0.0 : static_cast<double>(near.rows) / static_cast<double>(near.compared);

  Json& json = out.json;
  json["average_user_chars"] = rounded(total == 0 ? 0.0 : static_cast<double>(user_chars) / static_cast<double>(total));
  json["duplicate_user_rate"] = rounded(out.duplicate_rate);
  json["duplicate_user_prompts"] = duplicates;
  json["duplicate_user_samples"] = std::move(duplicate_samples);
  json["near_duplicate_user_pairs"] = near.pairs;
  json["near_duplicate_user_rate"] = rounded(near_rate);
  json["near_duplicate_rows_compared"] = near.compared;
  json["near_duplicate_user_samples"] = std::move(near.samples);
  json["categories"] = counts_json(categories);
  json["category_entropy"] = rounded(entropy.bits);
  json["category_entropy_normalized"] = rounded(entropy.normalized);
  json["template_families"] = counts_json(families);
  json["answer_styles"] = counts_json(styles);
  json["curriculum_label"] = curriculum_label(buckets, total, kind);
  json["curriculum_breakdown"] = counts_json(buckets);

  if (items.size() >= entropy_rows && entropy.normalized < 0.45) {
    auto largest = std::max_element(categories.begin(), categories.end(), [](auto& a, auto& b) { return a.second < b.second; });
    out.warnings.push_back(cat("rows are concentrated: ", base::fixed(100 * rate(largest->second), 1), "% are '", largest->first,
                               "' (normalised category entropy ", base::fixed(entropy.normalized, 2),
                               ", wanted at least 0.45); add rows of other categories"));
  }
  if (duplicates > 0 && out.duplicate_rate > duplicate_limit) {
    out.warnings.push_back(cat(duplicates, " of ", total, " prompts repeat an earlier one; keep one row of each"));
  }
  if (near_rate > 0.10) {
    out.warnings.push_back(cat(near.rows, " of ", near.compared, " prompts nearly repeat an earlier one with the same answer; vary the wording"));
  }
  return out;
}

Json issues_json(const std::vector<RowIssue>& issues, const std::vector<int64_t>& placeholders, const LetterFindings& letters) {
  Json out = Json::array();
  for (const RowIssue& issue : letters.wrong)
    if (out.size() < kIssues / 2) out.push_back({{"line", issue.line}, {"message", issue.message}});
  for (const RowIssue& issue : issues) {
    if (out.size() < kIssues) out.push_back({{"line", issue.line}, {"message", issue.message}});
  }
  for (int64_t line : placeholders) {
    if (out.size() < kIssues) {
      out.push_back({{"line", line}, {"message", "a placeholder row of `data init-pack`; write a row of your own in its place"}});
    }
  }
  return out;
}

// "3 invalid rows, first line 7: ...; correct or remove them"
std::string rows_with(size_t count, const char* what, const RowIssue& first, const char* remedy) {
  return cat(count, " ", what, count == 1 ? " row" : " rows", ", first line ", first.line, ": ", first.message, "; ", remedy);
}

void judge_letters(const LetterFindings& letters, std::vector<std::string>& blocks, std::vector<std::string>& cautions) {
  if (!letters.wrong.empty()) blocks.push_back(rows_with(letters.wrong.size(), "wrongly lettered", letters.wrong.front(), "correct the letters"));
  if (const std::string letter = letters.favoured(); !letter.empty())
    cautions.push_back(cat("letter ", letter, " is right in ", base::fixed(100 * static_cast<double>(letters.letters.at(letter)) / static_cast<double>(letters.rows), 0),
                           "% of the choice rows; shuffle the options"));
}

template <typename Row>
std::vector<int64_t> placeholder_lines(const std::vector<Row>& rows) {
  std::vector<int64_t> lines;
  for (const Row& row : rows) if (is_placeholder(row)) lines.push_back(row.line);
  return lines;
}

// A file that cannot be read is one issue of line 0 and no rows: blocked, with every key in place.
template <typename Row>
RowFile<Row> unreadable(const base::Error& error) {
  RowFile<Row> file;
  file.issues.push_back({0, error.details().what});
  return file;
}

std::string join_lines(const std::vector<std::string>& parts) { return base::join(parts, "; "); }

std::string eval_answer(const EvalRow& row) {
  if (!row.reference_answer.empty()) return row.reference_answer;
  if (!row.normalized_answers.empty()) return row.normalized_answers[0];
  std::string answer = base::join(row.must_include, " ");
  for (const auto& group : row.must_include_any) answer += cat(" ", base::join(group, " "));
  return answer;
}

}  // namespace

Json inspect_chat_rows(const RowFile<ChatRow>& file, const std::string& label) {
  std::vector<Item> items;
  int64_t answer_chars = 0;
  Json preview = Json::array();
  for (const ChatRow& row : file.rows) {
    std::string style = row.extra.contains("answer_style") && row.extra["answer_style"].is_string()
                            ? row.extra["answer_style"].get<std::string>() : style_of(row.assistant());
    // A conversation is the same prompt only if every turn before the last answer is.
    std::string prompt;
    for (size_t i = 0; i + 1 < row.turns.size(); ++i) prompt += (i ? "\n" : "") + row.turns[i].text;
    items.push_back({std::move(prompt), row.assistant(), row.category, row.group, std::move(style), row.line});
    answer_chars += static_cast<int64_t>(base::count_code_points(row.assistant()));
    if (preview.size() < kPreview) {
      preview.push_back({{"line", row.line}, {"user", brief(row.user())}, {"assistant", brief(row.assistant())}, {"category", row.category}});
    }
  }
  Common common = describe(items, "sft", 32, 0.10);
  std::vector<int64_t> placeholders = placeholder_lines(file.rows);
  const LetterFindings letters = check_letters(file.rows);

  std::vector<std::string> blocks, cautions;
  if (!file.issues.empty() && file.issues[0].line == 0) blocks.push_back(file.issues[0].message);
  if (file.rows.empty()) blocks.push_back("no usable rows; write some, or let `picochat data task-pack` generate them");
  if (!file.issues.empty() && file.issues[0].line > 0) blocks.push_back(rows_with(file.issues.size(), "invalid", file.issues[0], "correct or remove them"));
  if (!placeholders.empty()) blocks.push_back(cat(placeholders.size(), " placeholder rows; write rows of your own in their place, or make some with `picochat data task-pack`"));
  judge_letters(letters, blocks, cautions);
  if (!file.rows.empty() && file.rows.size() < 8) cautions.push_back(cat("only ", file.rows.size(), " examples; 8 are the least to learn from"));
  if (common.duplicate_rate > 0.25) cautions.push_back(cat(base::fixed(100 * common.duplicate_rate, 1), "% of the prompts are repetitions; keep one row of each"));

  const auto count = static_cast<int64_t>(file.rows.size());
  Json out = Json::object();
  out["path"] = label;
  out["status"] = !blocks.empty() ? "blocked" : !cautions.empty() ? "caution" : "ready";
  blocks.insert(blocks.end(), cautions.begin(), cautions.end());
  out["summary"] = blocks.empty() ? cat(count, " chat examples are ready") : join_lines(blocks);
  out["num_rows"] = count + static_cast<int64_t>(file.issues.size());
  out["num_examples"] = count;
  out["empty_rows"] = file.blank_lines;
  out["invalid_rows"] = static_cast<int64_t>(file.issues.size());
  out["placeholder_rows"] = static_cast<int64_t>(placeholders.size());
  out["wrong_letters"] = static_cast<int64_t>(letters.wrong.size());
  out["choice_letters"] = counts_json(letters.letters);
  out["average_assistant_chars"] = rounded(count == 0 ? 0.0 : static_cast<double>(answer_chars) / static_cast<double>(count));
  out["assistant_length_distribution"] = length_distribution(items);
  out.update(common.json);
  out["quality_warnings"] = common.warnings;
  out["issues"] = issues_json(file.issues, placeholders, letters);
  out["preview"] = std::move(preview);
  return out;
}

Json inspect_eval_rows(const RowFile<EvalRow>& file, const std::string& label) {
  std::vector<Item> items;
  Json preview = Json::array();
  std::map<std::string, int64_t> splits, levels, heldout;
  int64_t answerable = 0, include = 0, any = 0, forbid = 0, without_rules = 0, choice = 0;
  for (const EvalRow& row : file.rows) {
    std::string answer = eval_answer(row);
    std::string style = style_of(row.reference_answer);
    std::string group = row.extra.contains("group") && row.extra["group"].is_string() ? row.extra["group"].get<std::string>() : "";
    items.push_back({row.user, answer, row.category, group, style, row.line});
    ++splits[row.split];
    ++levels[row.level];
    if (row.split != "train" && row.split != "sft" && row.split != "practice") ++heldout[row.category];
    answerable += row.answerable;
    include += static_cast<int64_t>(row.must_include.size());
    any += static_cast<int64_t>(row.must_include_any.size());
    forbid += static_cast<int64_t>(row.must_not_include.size());
    choice += row.is_choice();
    without_rules += !row.has_rules();
    if (preview.size() < kPreview) {
      preview.push_back({{"line", row.line}, {"user", brief(row.user)}, {"category", row.category}, {"split", row.split}, {"level", row.level}});
    }
  }
  Common common = describe(items, "eval", 16, 0);
  if (!file.rows.empty() && heldout.empty()) {
    common.warnings.push_back("every row is of a training split (train, sft or practice); add held-out rows");
  }
  if (without_rules > 0) {
    common.warnings.push_back(cat(without_rules, " rows have no rule and pass with any reply, even an empty one; add must_include or a normalized_answer"));
  }
  std::vector<int64_t> placeholders = placeholder_lines(file.rows);
  const LetterFindings letters = check_letters(file.rows);

  const auto count = static_cast<int64_t>(file.rows.size());
  std::vector<std::string> blocks, cautions;
  if (!file.issues.empty() && file.issues[0].line == 0) blocks.push_back(file.issues[0].message);
  if (count == 0) blocks.push_back("no usable rows; write some, or let `picochat data task-pack` generate them");
  if (!file.issues.empty() && file.issues[0].line > 0) blocks.push_back(rows_with(file.issues.size(), "invalid", file.issues[0], "correct or remove them"));
  if (!placeholders.empty()) blocks.push_back(cat(placeholders.size(), " placeholder rows; write rows of your own in their place, or make some with `picochat data task-pack`"));
  judge_letters(letters, blocks, cautions);
  if (count > 0 && without_rules == count) blocks.push_back("no row has a rule: every reply would pass; add must_include or a normalized_answer");
  if (count > 0 && count < 4) cautions.push_back(cat("only ", count, " items; 4 are the least to judge by"));
  if (count > 0 && answerable == count) cautions.push_back("no unanswerable item: refusals cannot be judged; add rows with \"answerable\": false");

  Json out = Json::object();
  out["path"] = label;
  out["status"] = !blocks.empty() ? "blocked" : !cautions.empty() ? "caution" : "ready";
  blocks.insert(blocks.end(), cautions.begin(), cautions.end());
  out["summary"] = blocks.empty() ? cat(count, " eval items are ready") : join_lines(blocks);
  out["num_rows"] = count + static_cast<int64_t>(file.issues.size());
  out["num_items"] = count;
  out["empty_rows"] = file.blank_lines;
  out["invalid_rows"] = static_cast<int64_t>(file.issues.size());
  out["placeholder_rows"] = static_cast<int64_t>(placeholders.size());
  out["wrong_letters"] = static_cast<int64_t>(letters.wrong.size());
  out["choice_letters"] = counts_json(letters.letters);
  out["answerable_items"] = answerable;
  out["unanswerable_items"] = count - answerable;
  out["must_include_rules"] = include;
  out["must_include_any_groups"] = any;
  out["must_not_include_rules"] = forbid;
  out["choice_items"] = choice;
  out["items_without_rules"] = without_rules;
  out["splits"] = counts_json(splits);
  out["levels"] = counts_json(levels);
  out["heldout_categories"] = counts_json(heldout);
  out["answer_length_distribution"] = length_distribution(items);
  out.update(common.json);
  out["quality_warnings"] = common.warnings;
  out["issues"] = issues_json(file.issues, placeholders, letters);
  out["preview"] = std::move(preview);
  return out;
}

Json inspect_chat_rows(const base::Path& path) {
  try {
    return inspect_chat_rows(load_chat_rows(path), path.string());
  } catch (const base::Error& error) {
    return inspect_chat_rows(unreadable<ChatRow>(error), path.string());
  }
}

Json inspect_eval_rows(const base::Path& path) {
  try {
    return inspect_eval_rows(load_eval_rows(path), path.string());
  } catch (const base::Error& error) {
    return inspect_eval_rows(unreadable<EvalRow>(error), path.string());
  }
}

}  // namespace picochat::tasks
