#include "tasks/benchmark_layout.hpp"

#include <algorithm>
#include <cctype>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::tasks {
namespace {

using base::cat;
using base::Json;

constexpr const char* kLayouts = "ARC ({\"question\", \"choices\": {\"text\", \"label\"}, \"answerKey\"} or with \"question\": {\"stem\", \"choices\"}), "
                                 "MMLU ({\"question\", \"choices\": [...], \"answer\"} or CSV lines question,A,B,C,D,answer), "
                                 "HellaSwag ({\"ctx\", \"endings\", \"label\"}), PIQA ({\"goal\", \"sol1\", \"sol2\", \"label\"}), "
                                 "OpenBookQA ({\"question_stem\", \"choices\", \"answerKey\"}), BoolQ ({\"passage\", \"question\", \"answer\" or \"label\"}), "
                                 "WinoGrande ({\"sentence\", \"option1\", \"option2\", \"answer\"})";

std::string text_of(const Json& value, const char* key, const std::string& where) {
  if (!value.is_string() || base::trim(value.get_ref<const std::string&>()).empty())
    refuse_benchmark(cat("\"", key, "\" is not a text"), where, base::dump(value, -1).substr(0, 60));
  return value.get<std::string>();
}

std::vector<std::string> texts_of(const Json& value, const char* key, const std::string& where) {
  if (!value.is_array() || value.empty()) refuse_benchmark(cat("\"", key, "\" is not a list of texts"), where, base::dump(value, -1).substr(0, 60));
  std::vector<std::string> out;
  for (const Json& item : value) {
    if (item.is_string()) out.push_back(item.get<std::string>());
    else if (item.is_number()) out.push_back(base::dump(item, -1));
    else refuse_benchmark(cat("\"", key, "\" holds something else than texts"), where, base::dump(item, -1).substr(0, 60));
  }
  return out;
}

const Json& member(const Json& of, const char* key, const std::string& where) {
  if (!of.contains(key)) refuse_benchmark(cat("\"", key, "\" is missing"), where);
  return of[key];
}

std::string text_member(const Json& of, const char* key, const std::string& where) { return text_of(member(of, key, where), key, where); }

void read_answer(RawRow& raw, const Json& answer) {
  if (answer.is_number_integer()) raw.number = answer.get<int64_t>();
  else if (answer.is_string()) read_benchmark_answer(raw, answer.get_ref<const std::string&>());
  else refuse_benchmark("the answer is neither a letter nor a number", raw.where, base::dump(answer, -1).substr(0, 60));
}

std::string optional_text(const Json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (!object.contains(key)) continue;
    const Json& value = object[key];
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_integer()) return base::dump(value, -1);
  }
  return "";
}

// The first letter large, the others small; a first letter beyond ASCII stays as it is.
std::string capitalized(const std::string& text) {
  if (text.empty()) return text;
  size_t at = base::decode_utf8(text, 0).length;
  std::string out = at == 1 ? std::string(1, static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])))) : text.substr(0, at);
  while (at < text.size()) {
    const base::CodePoint c = base::decode_utf8(text, at);
    base::append_utf8(out, base::to_lower(c.value));
    at += c.length;
  }
  return out;
}

// HellaSwag's texts carry marks of the site that they were taken from; lm-evaluation-harness takes them out so.
std::string without_marks(const std::string& text) {
  std::string marked = base::replace_all(std::string(base::trim(text)), " [title]", ". "), out;
  for (size_t at = 0; at < marked.size();) {
    const size_t line_end = std::min(marked.find('\n', at), marked.size()), close = marked[at] == '[' ? marked.find(']', at) : std::string::npos;
    if (close < line_end) {
      at = close + 1;
      continue;
    }
    out += marked[at++];
  }
  return base::replace_all(out, "  ", " ");
}

void parse_arc_ai2(RawRow& raw, const Json& object) {
  const Json& question = object["question"];
  raw.row.question = text_member(question, "stem", raw.where);
  const Json& choices = member(question, "choices", raw.where);
  if (!choices.is_array()) refuse_benchmark("\"choices\" is not a list", raw.where);
  for (const Json& choice : choices) {
    raw.row.choices.push_back(text_member(choice, "text", raw.where));
    raw.row.labels.push_back(text_member(choice, "label", raw.where));
  }
  read_answer(raw, member(object, "answerKey", raw.where));
}

void parse_labelled_choices(RawRow& raw, const Json& object, const char* question) {
  raw.row.question = text_of(object[question], question, raw.where);
  const Json& choices = member(object, "choices", raw.where);
  raw.row.choices = texts_of(member(choices, "text", raw.where), "choices.text", raw.where);
  raw.row.labels = texts_of(member(choices, "label", raw.where), "choices.label", raw.where);
  if (raw.row.labels.size() != raw.row.choices.size()) refuse_benchmark("choices and labels differ in number", raw.where);
  read_answer(raw, member(object, "answerKey", raw.where));
}

void parse_mmlu(RawRow& raw, const Json& object) {
  raw.row.question = text_of(object["question"], "question", raw.where);
  raw.row.choices = texts_of(object["choices"], "choices", raw.where);
  letter_labels(raw.row, raw.where);
  read_answer(raw, member(object, object.contains("answer") ? "answer" : "answerKey", raw.where));
}

void parse_hellaswag(RawRow& raw, const Json& object) {
  std::string context = text_of(object["ctx"], "ctx", raw.where);
  if (object.contains("ctx_a") && object.contains("ctx_b") && object["ctx_a"].is_string() && object["ctx_b"].is_string())
    context = cat(object["ctx_a"].get<std::string>(), " ", capitalized(object["ctx_b"].get<std::string>()));
  raw.row.question = without_marks(raw.row.subject.empty() ? context : cat(raw.row.subject, ": ", context));
  for (const std::string& ending : texts_of(object["endings"], "endings", raw.where)) raw.row.choices.push_back(without_marks(ending));
  letter_labels(raw.row, raw.where);
  read_answer(raw, member(object, "label", raw.where));
}

void parse_piqa(RawRow& raw, const Json& object) {
  raw.row.question = text_of(object["goal"], "goal", raw.where);
  raw.row.choices = {text_member(object, "sol1", raw.where), text_member(object, "sol2", raw.where)};
  letter_labels(raw.row, raw.where);
  read_answer(raw, member(object, "label", raw.where));
}

void parse_boolq(RawRow& raw, const Json& object) {
  raw.row.passage = text_of(object["passage"], "passage", raw.where);
  raw.row.question = text_member(object, "question", raw.where);
  if (!raw.row.question.ends_with('?')) raw.row.question += '?';
  raw.row.choices = {"no", "yes"};
  letter_labels(raw.row, raw.where);
  const char* key = object.contains("answer") ? "answer" : "label";
  const Json& answer = member(object, key, raw.where);
  if (answer.is_boolean()) raw.row.correct = answer.get<bool>() ? 1 : 0;
  else read_answer(raw, answer);
}

void parse_winogrande(RawRow& raw, const Json& object) {
  raw.row.question = text_of(object["sentence"], "sentence", raw.where);
  if (raw.row.question.find('_') == std::string::npos) refuse_benchmark("the sentence has no blank, \"_\"", raw.where, raw.row.question.substr(0, 60));
  raw.row.choices = {text_member(object, "option1", raw.where), text_member(object, "option2", raw.where)};
  letter_labels(raw.row, raw.where);
  read_answer(raw, member(object, "answer", raw.where));
}

}  // namespace

const std::vector<std::string> kBenchmarkTextColumns{"ctx", "goal", "question_stem", "sentence", "passage", "question"};
const std::vector<std::string> kBenchmarkColumns{"id",     "ind",   "subject", "category", "activity_label", "choices.text", "choices.label", "endings", "ctx_a", "ctx_b",
                                                 "answer", "answerKey", "label", "sol1", "sol2", "question", "option1", "option2"};

void refuse_benchmark(const std::string& what, const std::string& where, const std::string& found) {
  throw base::bad_input({.what = what, .where = where, .expected = kLayouts, .found = found,
                         .remedy = "give the benchmark's file as it is distributed; docs/formats/benchmarks.md shows each layout"});
}

std::string benchmark_layout(const Json& object, const std::string& where) {
  if (!object.is_object()) refuse_benchmark("a row is not a JSON object", where, base::dump(object, -1).substr(0, 60));
  if (object.contains("question") && object["question"].is_object()) return "arc_ai2";
  if (object.contains("ctx") && object.contains("endings")) return "hellaswag";
  if (object.contains("goal") && object.contains("sol1")) return "piqa";
  if (object.contains("question_stem")) return "openbookqa";
  if (object.contains("sentence") && object.contains("option1")) return "winogrande";
  if (object.contains("passage") && object.contains("question")) return "boolq";
  if (object.contains("question") && object.contains("choices")) return object["choices"].is_object() ? "arc_hub" : "mmlu_hub";
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  refuse_benchmark("this is no benchmark row", where, cat("keys ", base::join(keys, ", ")));
}

RawRow parse_benchmark_row(const Json& object, const std::string& layout, const std::string& where) {
  RawRow raw;
  raw.where = where;
  raw.row.id = optional_text(object, {"id", "ind"});
  raw.row.subject = optional_text(object, {"subject", "category", "activity_label"});
  if (layout == "arc_ai2") parse_arc_ai2(raw, object);
  else if (layout == "arc_hub") parse_labelled_choices(raw, object, "question");
  else if (layout == "openbookqa") parse_labelled_choices(raw, object, "question_stem");
  else if (layout == "mmlu_hub") parse_mmlu(raw, object);
  else if (layout == "piqa") parse_piqa(raw, object);
  else if (layout == "boolq") parse_boolq(raw, object);
  else if (layout == "winogrande") parse_winogrande(raw, object);
  else parse_hellaswag(raw, object);
  if (raw.row.choices.size() < 2) refuse_benchmark("fewer than two choices", where);
  return raw;
}

void read_benchmark_answer(RawRow& raw, const std::string& answer) {
  BenchmarkRow& row = raw.row;
  const std::string key(base::trim(answer));
  if (auto label = std::find(row.labels.begin(), row.labels.end(), key); label != row.labels.end()) {
    row.correct = static_cast<size_t>(label - row.labels.begin());
    return;
  }
  if (key.size() == 1 && base::lower_ascii(key)[0] >= 'a' && base::lower_ascii(key)[0] < static_cast<char>('a' + std::min<size_t>(26, row.choices.size()))) {
    row.correct = static_cast<size_t>(base::lower_ascii(key)[0] - 'a');
    return;
  }
  if (key.empty() || key.size() > 3 || key.find_first_not_of("0123456789") != std::string::npos)
    refuse_benchmark("the answer names none of the choices", raw.where, key.empty() ? "no answer; the test part of some benchmarks has none" : key);
  raw.number = std::stoll(key);
}

void letter_labels(BenchmarkRow& row, const std::string& where) {
  if (row.choices.size() > 26) refuse_benchmark("more than 26 choices", where);
  row.labels.clear();
  for (size_t i = 0; i < row.choices.size(); ++i) row.labels.emplace_back(1, static_cast<char>('A' + i));
}

std::optional<int64_t> first_answer(const std::string& layout) {
  if (layout == "hellaswag" || layout == "piqa" || layout == "boolq") return 0;
  if (layout == "winogrande") return 1;
  return std::nullopt;
}

}  // namespace picochat::tasks
