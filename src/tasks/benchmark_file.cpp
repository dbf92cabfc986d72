#include "picochat/tasks/benchmark_file.hpp"

#include <algorithm>
#include <optional>

#include "picochat/base/byte_source.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/row_file.hpp"
#include "tasks/benchmark_csv.hpp"
#include "tasks/benchmark_layout.hpp"

namespace picochat::tasks {
namespace {

using base::cat;
using base::Json;

// Numbers are indices from 0 or from 1, and one file has one way: that of its benchmark, or else the one that it shows.
void settle_numbers(std::vector<RawRow>& rows, const std::string& layout, const std::string& path) {
  std::optional<int64_t> first = first_answer(layout);
  if (!first) {
    bool zero = false, beyond = false, any = false;
    for (const RawRow& raw : rows) {
      if (!raw.number) continue;
      if (*raw.number < 0 || *raw.number > static_cast<int64_t>(raw.row.choices.size()))
        refuse_benchmark("the answer names none of the choices", raw.where, cat(*raw.number));
      any = true;
      zero = zero || *raw.number == 0;
      beyond = beyond || *raw.number == static_cast<int64_t>(raw.row.choices.size());
      if (zero && beyond) refuse_benchmark("answers are counted from 0 in some rows and from 1 in others", raw.where, cat(*raw.number));
    }
    if (any && !zero && !beyond)
      throw base::bad_input({.what = "answers are numbers, and the file does not show whether they count from 0 or from 1", .where = path,
                             .expected = "a 0, or a number as high as the number of choices, in some row",
                             .remedy = "give the whole benchmark, or write the answers as letters"});
    first = beyond ? 1 : 0;
  }
  for (RawRow& raw : rows) {
    if (!raw.number) continue;
    const int64_t index = *raw.number - *first;
    if (index < 0 || index >= static_cast<int64_t>(raw.row.choices.size())) refuse_benchmark("the answer names none of the choices", raw.where, cat(*raw.number));
    raw.row.correct = static_cast<size_t>(index);
  }
}

std::vector<RawRow> rows_of_json(const base::Path& path, std::string& layout) {
  std::vector<RawRow> rows;
  auto add = [&](const Json& object, int64_t line) {
    const std::string where = cat(path.string(), ":", line);
    const std::string own = benchmark_layout(object, where);
    if (layout.empty()) layout = own;
    if (own != layout) refuse_benchmark(cat("a row of layout ", own, " in a file of layout ", layout), where);
    rows.push_back(parse_benchmark_row(object, layout, where));
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
  auto has = [&](const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  const auto text = std::find_if(kBenchmarkTextColumns.begin(), kBenchmarkTextColumns.end(), has);
  if (text == kBenchmarkTextColumns.end()) refuse_benchmark("this is no benchmark file", path.string(), cat("columns ", base::join(names, ", ")));
  columns.text = *text;
  for (const std::string& name : kBenchmarkColumns)
    if (has(name) && name != columns.text) columns.extra.push_back(name);
  if (!has("choices.text") && has("choices")) columns.extra.emplace_back("choices");
  const auto file = corpus::RowFile::open(source, kind, columns);
  std::vector<RawRow> rows;
  for (size_t part = 0; part < file->parts().size(); ++part) {
    file->read_part(part, [&](const corpus::FileRow& row) {
      const std::string where = cat(path.string(), ": row ", row.index + 1);
      if (row.skipped) refuse_benchmark(cat("the ", columns.text, " of a row cannot be used: ", row.skipped), where);
      Json object = {{columns.text, row.text}};
      for (size_t i = 0; i < columns.extra.size(); ++i) {
        const size_t dot = columns.extra[i].find('.');
        Json value = base::parse_json(row.extra[i], where);
        if (dot == std::string::npos) object[columns.extra[i]] = std::move(value);
        else object[columns.extra[i].substr(0, dot)][columns.extra[i].substr(dot + 1)] = std::move(value);
      }
      layout = benchmark_layout(object, where);
      rows.push_back(parse_benchmark_row(object, layout, where));
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
    if (fields.size() != 6) refuse_benchmark("a line has not six fields", where, cat(fields.size(), fields.size() == 1 ? " field" : " fields"));
    RawRow raw;
    raw.where = where;
    raw.row.line = line;
    raw.row.question = fields[0];
    if (base::trim(fields[0]).empty()) refuse_benchmark("the question is empty", where);
    raw.row.choices.assign(fields.begin() + 1, fields.begin() + 5);
    letter_labels(raw.row, where);
    read_benchmark_answer(raw, fields[5]);
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
  const std::string extension = base::lower_ascii(path.extension().string());
  auto read = [&](const base::Path& part, std::string& layout) {
    std::vector<RawRow> rows;
    if (extension == ".csv") {
      layout = "mmlu_csv";
      rows = rows_of_csv(part);
      for (RawRow& raw : rows) raw.row.subject = csv_subject(part);
    } else if (extension == ".jsonl" || extension == ".json") {
      rows = rows_of_json(part, layout);
    } else if (extension == ".parquet") {
      rows = rows_of_parquet(part, layout);
    } else {
      throw base::bad_input({.what = "this file is not read as a benchmark", .where = path.string(), .expected = ".jsonl, .json, .csv or .parquet",
                             .found = extension.empty() ? "no extension" : extension, .remedy = "convert it to JSON Lines"});
    }
    return finish(std::move(rows), layout, part);
  };
  BenchmarkFile file;
  file.rows = read(path, file.layout);
  if (auto dev = dev_file(path)) {
    std::string layout;
    file.dev_shots = read(*dev, layout);
    if (layout != file.layout)
      refuse_benchmark(cat("worked examples of layout ", layout, " beside a file of layout ", file.layout), dev->string());
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
  std::string out = row.passage.empty() ? "" : row.passage + "\n\n";
  out += row.question + "\n";
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
