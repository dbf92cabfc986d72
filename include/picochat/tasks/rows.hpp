// Rows of chat.jsonl (what SFT learns from) and eval.jsonl (what a model is asked), their readers
// and writers. Formats: docs/formats/rows.md. A bad row is BadInput naming path:line and the field.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::tasks {

struct ChatTurn {
  std::string role;  // "system", "user" or "assistant"
  std::string text;
  friend bool operator==(const ChatTurn&, const ChatTurn&) = default;
};

// A conversation: an optional system turn, then user and assistant in turn, the last one assistant.
struct ChatRow {
  std::vector<ChatTurn> turns;
  std::string category = "chat";
  std::string group;              // group | group_id | template: rows of a group stay on one side of a split
  bool answerable = true;
  base::Json extra = base::Json::object();  // every other field as read: curriculum_stage, fit_*, metadata
  int64_t line = 0;               // 1-based; 0 for rows made in memory

  const std::string& user() const;       // first user turn
  const std::string& assistant() const;  // last assistant turn
};

// One question with the rules that its reply is scored by.
struct EvalRow {
  std::string user;
  std::vector<std::string> must_include;                   // `expected` is appended here
  std::vector<std::vector<std::string>> must_include_any;  // one phrase of each group
  std::vector<std::string> must_not_include;
  bool answerable = true;
  std::string category;             // default "answerable" / "unanswerable"
  std::string split = "default";    // alias eval_split
  std::string level;                // alias eval_level; inferred when absent
  std::string curriculum_stage, robustness_variant;
  std::string reference_answer;     // aliases reference, expected
  std::vector<std::string> required_entities;  // alias entities
  std::optional<int64_t> min_words, max_words, min_chars, max_chars;
  bool require_corpus_support = false;
  std::vector<std::string> choice_labels;
  std::string correct_choice;       // alias answer_choice; set: scored by log-likelihood over the labels
  // normalized_answer, final_answer, expected_answer, normalized_answers, answer_aliases,
  // final_answer_aliases, without repetitions; any one is right.
  std::vector<std::string> normalized_answers;
  bool normalized_answer_required = false;
  base::Json extra = base::Json::object();
  int64_t line = 0;

  bool is_choice() const { return !correct_choice.empty(); }
  // Whether any reply could fail: a row without rules passes with an empty reply.
  bool has_rules() const;
};

// Strict: the first bad row ends the reading; so does a file without rows.
std::vector<ChatRow> read_chat_rows(const base::Path& path);
std::vector<EvalRow> read_eval_rows(const base::Path& path);

// Lenient, for reports: bad rows become issues and reading goes on. A missing file is still BadInput.
struct RowIssue {
  int64_t line;
  std::string message;
};
template <typename Row>
struct RowFile {
  std::vector<Row> rows;
  std::vector<RowIssue> issues;
  int64_t blank_lines = 0;
};
RowFile<ChatRow> load_chat_rows(const base::Path& path);
RowFile<EvalRow> load_eval_rows(const base::Path& path);

// One object; `where` is path:line.
ChatRow parse_chat_row(const base::Json& object, const std::string& where);
EvalRow parse_eval_row(const base::Json& object, const std::string& where);

// Fields as the readers take them (single-turn rows as user/assistant), extra merged in.
base::Json to_json(const ChatRow& row);
base::Json to_json(const EvalRow& row);

// One object a line, keys sorted at every level, non-ASCII kept.
std::string to_jsonl(std::span<const ChatRow> rows);
std::string to_jsonl(std::span<const EvalRow> rows);

// smoke, memorization, adversarial, transfer, domain or heldout, from split and category.
std::string infer_level(std::string_view split, std::string_view category, bool answerable);

// Lower case (Unicode), white space collapsed: two prompts with the same result are the same prompt.
std::string normalize_prompt(std::string_view text);

// Lower case, commas removed, numbers and words joined by spaces: how final answers are compared.
std::string normalize_answer(std::string_view text);

// The eval row that the SFT-fit diagnostic asks of a training row (of its first exchange): the row's
// fit_* rules, else that the answer is given back.
EvalRow fit_row(const ChatRow& row);

// Whether a row still is, or still holds, a placeholder of `data init-pack`: reports and gates refuse it.
bool is_placeholder(const ChatRow& row);
bool is_placeholder(const EvalRow& row);

}  // namespace picochat::tasks
