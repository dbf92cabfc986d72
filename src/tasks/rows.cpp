#include "picochat/tasks/rows.hpp"

#include <algorithm>
#include <set>

#include "row_fields.hpp"

namespace picochat::tasks {
namespace {

constexpr const char* kNoRows = "write rows of your own, or let `picochat data task-pack` generate them";

const std::vector<std::string>& chat_fields() {
  static const std::vector<std::string> names = {
      "user", "assistant", "messages", "system", "category", "group", "group_id", "template", "answerable",
      "answer_style", "curriculum_stage", "fit_must_include", "fit_must_include_any", "fit_must_not_include",
      "fit_reference_answer", "fit_normalized_answer", "fit_normalized_answer_required", "fit_max_words"};
  return names;
}

const std::vector<std::string>& eval_fields() {
  static const std::vector<std::string> names = {
      "user", "must_include", "must_include_any", "must_not_include", "expected", "answerable", "category", "split",
      "eval_split", "level", "eval_level", "curriculum_stage", "robustness_variant", "reference_answer", "reference",
      "required_entities", "entities", "min_words", "max_words", "min_chars", "max_chars", "require_corpus_support",
      "choice_labels", "correct_choice", "answer_choice", "normalized_answer", "final_answer", "expected_answer",
      "normalized_answers", "answer_aliases", "final_answer_aliases", "normalized_answer_required"};
  return names;
}

std::vector<ChatTurn> parse_messages(const Json& messages, const Fields& fields) {
  auto fault = [&](size_t index, std::string expected, std::string found) {
    return fields.fault(cat("field 'messages', entry ", index + 1), std::move(expected), std::move(found));
  };
  if (!messages.is_array() || messages.empty()) {
    throw fields.fault("field 'messages'", "a non-empty list of {role, content}",
                       messages.is_array() ? "an empty list" : type_name(messages));
  }
  std::vector<ChatTurn> turns;
  for (size_t i = 0; i < messages.size(); ++i) {
    const Json& message = messages[i];
    if (!message.is_object() || !message.contains("role") || !message.contains("content") || !message["role"].is_string()) {
      throw fault(i, "an object with strings 'role' and 'content'", type_name(message));
    }
    ChatTurn turn{message["role"].get<std::string>(), {}};
    if (!message["content"].is_string() || base::trim(message["content"].get_ref<const std::string&>()).empty()) {
      throw fault(i, "non-empty text in 'content'", type_name(message["content"]));
    }
    turn.text = message["content"].get<std::string>();
    bool first = turns.empty() || (turns.size() == 1 && turns[0].role == "system");
    std::string due = first || turns.back().role == "assistant" ? "user" : "assistant";
    if (turn.role == "system" && turns.empty()) due = "system";
    if (turn.role != due) throw fault(i, cat("role '", due, "' at this place"), cat("role '", turn.role, "'"));
    turns.push_back(std::move(turn));
  }
  if (turns.back().role != "assistant") {
    throw fault(messages.size() - 1, "the last message from 'assistant'", cat("role '", turns.back().role, "'"));
  }
  return turns;
}

std::string one_line(const base::Error::Details& details) {
  std::string out = details.what;
  if (!details.expected.empty()) out += cat("; expected ", details.expected);
  if (!details.found.empty()) out += cat("; found ", details.found);
  if (!details.remedy.empty()) out += cat("; ", details.remedy);
  return out;
}

template <typename Row, typename Parse>
RowFile<Row> load_rows(const base::Path& path, Parse parse) {
  RowFile<Row> file;
  std::string bytes = base::read_file(path);
  int64_t lines = 0, used = 0;
  base::for_each_line(bytes, [&](std::string_view line, int64_t number) {
    lines = number;
    if (base::trim(line).empty()) return true;
    ++used;
    std::string where = cat(path.string(), ":", number);
    try {
      if (!base::is_valid_utf8(line)) throw bad_input({.what = "the line is not valid UTF-8", .where = where});
      Row row = parse(base::parse_json(line, where), where);
      row.line = number;
      file.rows.push_back(std::move(row));
    } catch (const base::Error& error) {
      file.issues.push_back({number, one_line(error.details())});
    }
    return true;
  });
  file.blank_lines = lines - used;
  return file;
}

// The fit_* rules are an eval row's rules under another prefix; what they leave out follows from the answer.
EvalRow fit_rules(const ChatRow& row, const std::string& where) {
  auto first_of = [&](const char* role) {
    auto turn = std::find_if(row.turns.begin(), row.turns.end(), [&](const ChatTurn& t) { return t.role == role; });
    return turn->text;
  };
  Json rules = Json::object();
  rules["user"] = first_of("user");
  rules["category"] = row.category;
  rules["answerable"] = row.answerable;
  rules["split"] = "sft_fit";
  rules["level"] = "memorization";
  for (const auto& [key, value] : row.extra.items()) {
    if (key.starts_with("fit_")) rules[key.substr(4)] = value;
  }
  if (row.extra.contains("curriculum_stage")) rules["curriculum_stage"] = row.extra["curriculum_stage"];
  std::string answer = first_of("assistant");
  if (!rules.contains("reference_answer")) rules["reference_answer"] = answer;
  bool has_own_rules = rules.contains("must_include") || rules.contains("must_include_any") ||
                       rules.contains("normalized_answer") || rules.contains("correct_choice");
  if (!has_own_rules) {
    rules["normalized_answer"] = answer;
    rules["normalized_answer_required"] = true;
  }
  EvalRow out = parse_eval_row(rules, where);
  out.line = row.line;
  return out;
}

}  // namespace

const std::string& ChatRow::user() const {
  for (const ChatTurn& turn : turns) if (turn.role == "user") return turn.text;
  throw base::internal_error("a chat row has no user turn");
}

const std::string& ChatRow::assistant() const {
  base::require(!turns.empty() && turns.back().role == "assistant", "a chat row ends with an assistant turn");
  return turns.back().text;
}

bool EvalRow::has_rules() const {
  return !must_include.empty() || !must_include_any.empty() || !must_not_include.empty() || !required_entities.empty() ||
         is_choice() || (normalized_answer_required && !normalized_answers.empty());
}

ChatRow parse_chat_row(const Json& object, const std::string& where) {
  Fields fields(object, where);
  ChatRow row;
  if (auto messages = fields.take({"messages"})) {
    for (const char* name : {"user", "assistant", "system"}) {
      if (fields.rest().contains(name)) {
        throw fields.fault(cat("a row has both 'messages' and '", name, "'"), "either messages or user and assistant", "both");
      }
    }
    row.turns = parse_messages(*messages, fields);
  } else {
    fields.refuse_misspelt(chat_fields());
    const char* remedy = "a row needs 'user' and 'assistant', or 'messages': [{\"role\", \"content\"}, ...]";
    std::string system = fields.text({"system"}, "");
    if (!system.empty()) row.turns.push_back({"system", std::move(system)});
    row.turns.push_back({"user", fields.required_text("user", remedy)});
    row.turns.push_back({"assistant", fields.required_text("assistant", remedy)});
  }
  row.category = fields.text({"category"}, row.category);
  row.group = fields.text({"group"}, "");
  if (row.group.empty()) row.group = fields.text({"group_id"}, "");
  if (row.group.empty()) row.group = fields.text({"template"}, "");
  row.answerable = fields.flag("answerable", true);
  fields.refuse_misspelt(chat_fields());
  row.extra = fields.rest();
  fit_rules(row, where);  // the fit_* fields must have the right types
  return row;
}

EvalRow parse_eval_row(const Json& object, const std::string& where) {
  Fields fields(object, where);
  fields.refuse_misspelt(eval_fields());
  EvalRow row;
  row.user = fields.required_text("user", "an eval row needs the prompt in 'user'");
  row.must_include = fields.texts({"must_include"});
  row.must_include_any = fields.groups("must_include_any");
  row.must_not_include = fields.texts({"must_not_include"});
  std::string expected = fields.text({"expected"}, "");
  if (!expected.empty()) row.must_include.push_back(expected);
  row.answerable = fields.flag("answerable", true);
  row.category = fields.text({"category"}, row.answerable ? "answerable" : "unanswerable");
  row.split = fields.text({"split", "eval_split"}, "default");
  row.level = fields.text({"level", "eval_level"}, infer_level(row.split, row.category, row.answerable));
  row.curriculum_stage = fields.text({"curriculum_stage"}, "");
  row.robustness_variant = fields.text({"robustness_variant"}, "");
  row.reference_answer = fields.text({"reference_answer", "reference"}, expected);
  row.required_entities = fields.texts({"required_entities", "entities"});
  row.min_words = fields.count("min_words");
  row.max_words = fields.count("max_words");
  row.min_chars = fields.count("min_chars");
  row.max_chars = fields.count("max_chars");
  if ((row.min_words && row.max_words && *row.min_words > *row.max_words) ||
      (row.min_chars && row.max_chars && *row.min_chars > *row.max_chars)) {
    throw fields.fault("length bounds of the row", "minimum <= maximum", "no reply can satisfy them");
  }
  row.require_corpus_support = fields.flag("require_corpus_support", false);

  row.choice_labels = fields.texts({"choice_labels"});
  row.correct_choice = fields.text({"correct_choice", "answer_choice"}, "");
  std::set<std::string> labels(row.choice_labels.begin(), row.choice_labels.end());
  if (labels.size() != row.choice_labels.size()) {
    throw fields.fault("field 'choice_labels'", "labels that differ", base::join(row.choice_labels, ", "));
  }
  if (row.is_choice() && !labels.contains(row.correct_choice)) {
    throw fields.fault("field 'correct_choice'", cat("one of the choice_labels ", base::join(row.choice_labels, ", ")),
                       cat("'", row.correct_choice, "'"));
  }
  if (!row.is_choice() && !row.choice_labels.empty()) {
    throw fields.fault("field 'correct_choice' is missing", "the right one of the choice_labels", "");
  }
  if (row.choice_labels.size() == 1) {
    throw fields.fault("field 'choice_labels'", "two or more labels", "one, which is always right");
  }

  std::set<std::string> seen;
  auto accept = [&](const std::string& answer) {
    if (!answer.empty() && seen.insert(normalize_answer(answer)).second) row.normalized_answers.push_back(answer);
  };
  accept(fields.text({"normalized_answer"}, ""));
  accept(fields.text({"final_answer"}, ""));
  accept(fields.text({"expected_answer"}, ""));
  for (const char* name : {"normalized_answers", "answer_aliases", "final_answer_aliases"}) {
    for (const std::string& answer : fields.texts({name})) accept(answer);
  }
  row.normalized_answer_required = fields.flag("normalized_answer_required", false);
  if (row.normalized_answer_required && row.normalized_answers.empty()) {
    throw fields.fault("normalized_answer_required is true", "an answer in 'normalized_answer'", "none");
  }
  row.extra = fields.rest();
  return row;
}

RowFile<ChatRow> load_chat_rows(const base::Path& path) { return load_rows<ChatRow>(path, parse_chat_row); }
RowFile<EvalRow> load_eval_rows(const base::Path& path) { return load_rows<EvalRow>(path, parse_eval_row); }
std::vector<ChatRow> read_chat_rows(const base::Path& path) { return read_rows<ChatRow>(path, parse_chat_row, "chat", kNoRows); }
std::vector<EvalRow> read_eval_rows(const base::Path& path) { return read_rows<EvalRow>(path, parse_eval_row, "eval", kNoRows); }

EvalRow fit_row(const ChatRow& row) { return fit_rules(row, cat("fit_* fields of line ", row.line)); }

}  // namespace picochat::tasks
