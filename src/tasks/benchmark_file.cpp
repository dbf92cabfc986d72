#include "picochat/tasks/benchmark_file.hpp"

#include <algorithm>
#include <optional>

#include "picochat/base/byte_source.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/row_file.hpp"
#include "tasks/benchmark_csv.hpp"

namespace picochat::tasks {
namespace {

using base::cat;
using base::Json;

constexpr const char* kLayouts = "ARC ({\"question\", \"choices\": {\"text\", \"label\"}, \"answerKey\"} or with \"question\": {\"stem\", \"choices\"}), "
                                 "MMLU ({\"question\", \"choices\": [...], \"answer\"} or CSV lines question,A,B,C,D,answer), "
                                 "HellaSwag ({\"ctx\", \"endings\", \"label\"})";

[[noreturn]] void refuse(const std::string& what, const std::string& where, const std::string& found = "") {
  throw base::bad_input({.what = what, .where = where, .expected = kLayouts, .found = found,
                         .remedy = "give the benchmark's file as it is distributed; docs/formats/benchmarks.md shows each layout"});
}

// A row whose answer may still be a number of unknown base.
struct RawRow {
  BenchmarkRow row;
  std::optional<int64_t> number;
  std::string where;
};

std::string text_of(const Json& value, const char* key, const std::string& where) {
  if (!value.is_string() || base::trim(value.get_ref<const std::string&>()).empty()) refuse(cat("\"", key, "\" is not a text"), where, base::dump(value, -1).substr(0, 60));
  return value.get<std::string>();
}

std::vector<std::string> texts_of(const Json& value, const char* key, const std::string& where) {
  if (!value.is_array() || value.empty()) refuse(cat("\"", key, "\" is not a list of texts"), where, base::dump(value, -1).substr(0, 60));
  std::vector<std::string> out;
  for (const Json& item : value) {
    if (item.is_string()) out.push_back(item.get<std::string>());
    else if (item.is_number()) out.push_back(base::dump(item, -1));
    else refuse(cat("\"", key, "\" holds something else than texts"), where, base::dump(item, -1).substr(0, 60));
  }
  return out;
}

void letter_labels(BenchmarkRow& row, const std::string& where) {
  if (row.choices.size() > 26) refuse("more than 26 choices", where);
  row.labels.clear();
  for (size_t i = 0; i < row.choices.size(); ++i) row.labels.emplace_back(1, static_cast<char>('A' + i));
}

// A label of the row, else a letter, else a number whose base the whole file tells.
void read_answer(RawRow& raw, const std::string& answer) {
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
    refuse("the answer names none of the choices", raw.where, key.empty() ? "no answer" : key);
  raw.number = std::stoll(key);
}

void read_answer(RawRow& raw, const Json& answer) {
  if (answer.is_number_integer()) raw.number = answer.get<int64_t>();
  else if (answer.is_string()) read_answer(raw, answer.get_ref<const std::string&>());
  else refuse("the answer is neither a letter nor a number", raw.where, base::dump(answer, -1).substr(0, 60));
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

std::string layout_of(const Json& object, const std::string& where) {
  if (!object.is_object()) refuse("a row is not a JSON object", where, base::dump(object, -1).substr(0, 60));
  if (object.contains("question") && object["question"].is_object()) return "arc_ai2";
  if (object.contains("ctx") && object.contains("endings")) return "hellaswag";
  if (object.contains("question") && object.contains("choices")) return object["choices"].is_object() ? "arc_hub" : "mmlu_hub";
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  refuse("this is no benchmark row", where, cat("keys ", base::join(keys, ", ")));
}

RawRow parse_row(const Json& object, const std::string& layout, const std::string& where) {
  RawRow raw;
  raw.where = where;
  BenchmarkRow& row = raw.row;
  row.id = optional_text(object, {"id", "ind"});
  row.subject = optional_text(object, {"subject", "category", "activity_label"});
  auto member = [&](const Json& of, const char* key) -> const Json& {
    if (!of.contains(key)) refuse(cat("\"", key, "\" is missing"), where);
    return of[key];
  };
  if (layout == "arc_ai2") {
    const Json& question = object["question"];
    row.question = text_of(member(question, "stem"), "stem", where);
    const Json& choices = member(question, "choices");
    if (!choices.is_array()) refuse("\"choices\" is not a list", where);
    for (const Json& choice : choices) {
      row.choices.push_back(text_of(member(choice, "text"), "text", where));
      row.labels.push_back(text_of(member(choice, "label"), "label", where));
    }
    read_answer(raw, member(object, "answerKey"));
  } else if (layout == "arc_hub") {
    row.question = text_of(object["question"], "question", where);
    row.choices = texts_of(member(object["choices"], "text"), "choices.text", where);
    row.labels = texts_of(member(object["choices"], "label"), "choices.label", where);
    if (row.labels.size() != row.choices.size()) refuse("choices and labels differ in number", where);
    read_answer(raw, member(object, "answerKey"));
  } else if (layout == "mmlu_hub") {
    row.question = text_of(object["question"], "question", where);
    row.choices = texts_of(object["choices"], "choices", where);
    letter_labels(row, where);
    read_answer(raw, member(object, object.contains("answer") ? "answer" : "answerKey"));
  } else {
    row.question = text_of(object["ctx"], "ctx", where);
    row.choices = texts_of(object["endings"], "endings", where);
    letter_labels(row, where);
    read_answer(raw, member(object, "label"));
  }
  if (row.choices.size() < 2) refuse("fewer than two choices", where);
  return raw;
}

// Numbers are indices from 0 or from 1, and one file has one way.
void settle_numbers(std::vector<RawRow>& rows, const std::string& layout, const std::string& path) {
  bool zero = false, beyond = false;
  for (const RawRow& raw : rows) {
    if (!raw.number) continue;
    const auto choices = static_cast<int64_t>(raw.row.choices.size());
    if (*raw.number < 0 || *raw.number > choices) refuse("the answer names none of the choices", raw.where, cat(*raw.number));
    zero = zero || *raw.number == 0;
    beyond = beyond || *raw.number == choices;
    if (zero && beyond) refuse("answers are counted from 0 in some rows and from 1 in others", raw.where, cat(*raw.number));
  }
  // HellaSwag's labels are indices from 0 by definition.
  const bool open = !zero && !beyond && std::any_of(rows.begin(), rows.end(), [](const RawRow& raw) { return raw.number.has_value(); });
  if (open && layout != "hellaswag")
    throw base::bad_input({.what = "answers are numbers, and the file does not show whether they count from 0 or from 1", .where = path,
                           .expected = "a 0, or a number as high as the number of choices, in some row",
                           .remedy = "give the whole benchmark, or write the answers as letters"});
  for (RawRow& raw : rows)
    if (raw.number) raw.row.correct = static_cast<size_t>(*raw.number - (beyond && layout != "hellaswag" ? 1 : 0));
}

std::vector<RawRow> rows_of_json(const base::Path& path, std::string& layout) {
  std::vector<RawRow> rows;
  auto add = [&](const Json& object, int64_t line) {
    const std::string where = cat(path.string(), ":", line);
    const std::string own = layout_of(object, where);
    if (layout.empty()) layout = own;
    if (own != layout) refuse(cat("a row of layout ", own, " in a file of layout ", layout), where);
    rows.push_back(parse_row(object, layout, where));
    rows.back().row.line = line;
  };
  if (base::lower_ascii(path.extension().string()) == ".json") {
    const Json list = base::read_json(path);
    if (list.is_array()) {
      int64_t number = 0;
      for (const Json& object : list) add(object, ++number);
      return rows;
    }
  }
  base::read_jsonl(path, [&](const Json& object, int64_t line) {
    add(object, line);
    return true;
  });
  return rows;
}

// The columns that some layout has, as the JSON object that a row of the same benchmark's JSON Lines would be.
std::vector<RawRow> rows_of_parquet(const base::Path& path, std::string& layout) {
  const auto source = std::make_shared<base::FileSource>(path);
  const corpus::FileKind kind = corpus::file_kind(path.filename().string());
  corpus::RowColumns columns;
  std::vector<std::string> names;
  for (const corpus::Column& column : corpus::RowFile::list_columns(*source, kind)) names.push_back(column.name);
  auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  columns.text = has("ctx") ? "ctx" : "question";
  if (!has(columns.text.c_str())) refuse("this is no benchmark file", path.string(), cat("columns ", base::join(names, ", ")));
  for (const char* name : {"id", "ind", "subject", "category", "activity_label", "choices.text", "choices.label", "endings", "answer", "answerKey", "label"})
    if (has(name)) columns.extra.emplace_back(name);
  if (!has("choices.text") && has("choices")) columns.extra.emplace_back("choices");
  const auto file = corpus::RowFile::open(source, kind, columns);
  std::vector<RawRow> rows;
  for (size_t part = 0; part < file->parts().size(); ++part) {
    file->read_part(part, [&](const corpus::FileRow& row) {
      const std::string where = cat(path.string(), ": row ", row.index + 1);
      if (row.skipped) refuse(cat("the ", columns.text, " of a row cannot be used: ", row.skipped), where);
      Json object = {{columns.text, row.text}};
      for (size_t i = 0; i < columns.extra.size(); ++i) {
        const size_t dot = columns.extra[i].find('.');
        Json value = base::parse_json(row.extra[i], where);
        if (dot == std::string::npos) object[columns.extra[i]] = std::move(value);
        else object[columns.extra[i].substr(0, dot)][columns.extra[i].substr(dot + 1)] = std::move(value);
      }
      layout = layout_of(object, where);
      rows.push_back(parse_row(object, layout, where));
      rows.back().row.line = row.index + 1;
      return true;
    });
  }
  return rows;
}

std::vector<RawRow> rows_of_csv(const base::Path& path) {
  std::vector<RawRow> rows;
  read_csv(path, [&](const std::vector<std::string>& fields, int64_t line) {
    const std::string where = cat(path.string(), ":", line);
    if (rows.empty() && line == 1 && base::lower_ascii(fields[0]) == "question") return;  // a header
    if (fields.size() != 6) refuse("a line has not six fields", where, cat(fields.size(), fields.size() == 1 ? " field" : " fields"));
    RawRow raw;
    raw.where = where;
    raw.row.line = line;
    raw.row.question = fields[0];
    if (base::trim(fields[0]).empty()) refuse("the question is empty", where);
    raw.row.choices.assign(fields.begin() + 1, fields.begin() + 5);
    letter_labels(raw.row, where);
    read_answer(raw, fields[5]);
    rows.push_back(std::move(raw));
  });
  return rows;
}

std::vector<BenchmarkRow> finish(std::vector<RawRow>&& raw, const std::string& layout, const base::Path& path) {
  if (raw.empty()) throw base::bad_input({.what = "the benchmark has no rows", .where = path.string(), .remedy = "check the download"});
  settle_numbers(raw, layout, path.string());
  std::vector<BenchmarkRow> rows;
  for (RawRow& row : raw) rows.push_back(std::move(row.row));
  return rows;
}

// mmlu's abstract_algebra_test.csv has five worked examples beside it, in abstract_algebra_dev.csv.
std::optional<base::Path> dev_file(const base::Path& path) {
  const std::string stem = path.stem().string();
  for (const char* part : {"_test", "_val"}) {
    if (!stem.ends_with(part)) continue;
    base::Path dev = path.parent_path() / cat(stem.substr(0, stem.size() - std::string_view(part).size()), "_dev", path.extension().string());
    if (std::filesystem::exists(dev)) return dev;
  }
  return std::nullopt;
}

std::string csv_subject(const base::Path& path) {
  std::string stem = path.stem().string();
  for (const char* part : {"_test", "_val", "_dev"})
    if (stem.ends_with(part)) stem.erase(stem.size() - std::string_view(part).size());
  return stem;
}

}  // namespace

BenchmarkFile read_benchmark(const base::Path& path) {
  BenchmarkFile file;
  const std::string extension = base::lower_ascii(path.extension().string());
  if (extension == ".csv") {
    file.layout = "mmlu_csv";
    auto read = [&](const base::Path& part) {
      std::vector<BenchmarkRow> rows = finish(rows_of_csv(part), file.layout, part);
      for (BenchmarkRow& row : rows) row.subject = csv_subject(part);
      return rows;
    };
    file.rows = read(path);
    if (auto dev = dev_file(path)) file.dev_shots = read(*dev);
  } else if (extension == ".jsonl" || extension == ".json") {
    std::vector<RawRow> rows = rows_of_json(path, file.layout);
    file.rows = finish(std::move(rows), file.layout, path);
  } else if (extension == ".parquet") {
    std::vector<RawRow> rows = rows_of_parquet(path, file.layout);
    file.rows = finish(std::move(rows), file.layout, path);
  } else {
    throw base::bad_input({.what = "this file is not read as a benchmark", .where = path.string(), .expected = ".jsonl, .json, .csv or .parquet",
                           .found = extension.empty() ? "no extension" : extension, .remedy = "convert it to JSON Lines"});
  }
  return file;
}

NamedBenchmark parse_named_benchmark(const std::string& text, const std::string& flag) {
  constexpr std::string_view kNameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  const size_t equals = text.find('=');
  const std::string before = text.substr(0, equals);
  if (equals == std::string::npos || before.find('/') != std::string::npos) {  // a path alone
    if (text.empty()) throw base::usage_error({.what = "the benchmark's path is empty", .where = flag, .expected = "[NAME=]PATH"});
    return {base::Path(text).stem().string(), text};
  }
  if (before.empty() || before.find_first_not_of(kNameBytes) != std::string::npos || equals + 1 == text.size())
    throw base::usage_error({.what = "a benchmark needs a file, and may have a name of letters, digits, '-', '_' and '.'", .where = flag,
                             .expected = "[NAME=]PATH, such as arc-easy=arc_easy.jsonl", .found = text});
  return {before, text.substr(equals + 1)};
}

std::string render_question(const BenchmarkRow& row) {
  std::string out = row.question + "\n";
  for (size_t i = 0; i < row.choices.size(); ++i) out += cat("\n", row.labels[i], ". ", row.choices[i]);
  return out;
}

EvalRow benchmark_eval_row(const BenchmarkRow& row, const std::string& name) {
  EvalRow out;
  out.user = cat(render_question(row), "\n\nAnswer with the letter of the right choice.");
  out.must_include = {row.labels[row.correct]};
  out.choice_labels = row.labels;
  out.correct_choice = row.labels[row.correct];
  out.category = cat("external_", row.subject.empty() ? name : row.subject);
  out.split = "external";
  out.level = "external_choice";
  out.curriculum_stage = name;
  out.reference_answer = cat(row.labels[row.correct], ". ", row.choices[row.correct]);
  if (!row.id.empty()) out.extra["source_id"] = row.id;
  out.line = row.line;
  return out;
}

}  // namespace picochat::tasks
