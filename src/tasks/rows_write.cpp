#include "picochat/base/error.hpp"
#include "picochat/tasks/rows.hpp"

namespace picochat::tasks {
namespace {

using base::Json;

Json texts(const std::vector<std::string>& values) { return Json(values); }

template <typename Row>
std::string lines(std::span<const Row> rows) {
  std::string out;
  for (const Row& row : rows) {
    out += base::canonical(to_json(row));
    out += '\n';
  }
  return out;
}

}  // namespace

Json to_json(const ChatRow& row) {
  Json out = row.extra;
  size_t n = row.turns.size();
  bool has_system = n == 3 && row.turns[0].role == "system";
  if (n == 2 || has_system) {
    if (has_system) out["system"] = row.turns[0].text;
    out["user"] = row.turns[n - 2].text;
    out["assistant"] = row.turns[n - 1].text;
  } else {
    Json messages = Json::array();
    for (const ChatTurn& turn : row.turns) messages.push_back({{"role", turn.role}, {"content", turn.text}});
    out["messages"] = std::move(messages);
  }
  out["category"] = row.category;
  if (!row.group.empty()) out["group"] = row.group;
  out["answerable"] = row.answerable;
  return out;
}

Json to_json(const EvalRow& row) {
  Json out = row.extra;
  auto put_text = [&](const char* key, const std::string& value) {
    if (!value.empty()) out[key] = value;
  };
  auto put_texts = [&](const char* key, const std::vector<std::string>& values) {
    if (!values.empty()) out[key] = texts(values);
  };
  auto put_count = [&](const char* key, const std::optional<int64_t>& value) {
    if (value) out[key] = *value;
  };
  out["user"] = row.user;
  put_texts("must_include", row.must_include);
  if (!row.must_include_any.empty()) out["must_include_any"] = row.must_include_any;
  put_texts("must_not_include", row.must_not_include);
  out["answerable"] = row.answerable;
  put_text("category", row.category);
  put_text("split", row.split);
  put_text("level", row.level);
  put_text("curriculum_stage", row.curriculum_stage);
  put_text("robustness_variant", row.robustness_variant);
  put_text("reference_answer", row.reference_answer);
  put_texts("required_entities", row.required_entities);
  put_count("min_words", row.min_words);
  put_count("max_words", row.max_words);
  put_count("min_chars", row.min_chars);
  put_count("max_chars", row.max_chars);
  if (row.require_corpus_support) out["require_corpus_support"] = true;
  put_texts("choice_labels", row.choice_labels);
  put_text("correct_choice", row.correct_choice);
  if (row.normalized_answers.size() == 1) out["normalized_answer"] = row.normalized_answers[0];
  else put_texts("normalized_answers", row.normalized_answers);
  if (row.normalized_answer_required) out["normalized_answer_required"] = true;
  return out;
}

std::string to_jsonl(std::span<const ChatRow> rows) { return lines(rows); }
std::string to_jsonl(std::span<const EvalRow> rows) { return lines(rows); }

}  // namespace picochat::tasks
