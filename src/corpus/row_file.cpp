#include "picochat/corpus/row_file.hpp"

#include <simdjson.h>

#include <algorithm>

#include "corpus/chunk_reader.hpp"
#include "corpus/parquet.hpp"
#include "corpus/row_reader.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::corpus {
namespace {

using base::cat;

const char* json_type(const simdjson::dom::element& value) {
  switch (value.type()) {
    case simdjson::dom::element_type::STRING: return "string";
    case simdjson::dom::element_type::INT64:
    case simdjson::dom::element_type::UINT64: return "integer";
    case simdjson::dom::element_type::DOUBLE: return "number";
    case simdjson::dom::element_type::BOOL: return "bool";
    case simdjson::dom::element_type::ARRAY: return "list";
    case simdjson::dom::element_type::OBJECT: return "object";
    case simdjson::dom::element_type::NULL_VALUE: return "null";
  }
  return "null";
}

void add_members(const simdjson::dom::object& object, const std::string& prefix, std::vector<Column>& columns, int depth) {
  constexpr size_t kMaxColumns = 1000;
  for (const auto field : object) {
    if (columns.size() >= kMaxColumns) return;
    Column column{.name = prefix + std::string(field.key), .type = json_type(field.value)};
    column.is_text = column.type == "string";
    simdjson::dom::object members;
    columns.push_back(column);
    if (depth < 4 && !field.value.get(members)) add_members(members, column.name + ".", columns, depth + 1);
  }
}

// The columns of the first row of JSON Lines that is an object.
std::vector<Column> json_columns(std::string_view rows) {
  std::vector<Column> columns;
  simdjson::dom::parser parser;
  while (!rows.empty() && columns.empty()) {
    const size_t end = rows.find('\n');
    const simdjson::padded_string line(rows.substr(0, end));
    simdjson::dom::object object;
    if (!parser.parse(line).get(object)) add_members(object, "", columns, 0);
    if (end == std::string_view::npos) break;
    rows.remove_prefix(end + 1);
  }
  return columns;
}

std::string listed(const std::vector<Column>& columns) {
  constexpr size_t kShown = 40;
  std::vector<std::string> names;
  for (const auto& column : columns) {
    if (names.size() == kShown) {
      names.push_back(cat("and ", columns.size() - kShown, " more"));
      break;
    }
    names.push_back(cat(column.name.substr(0, 80), " (", column.type.substr(0, 60), ")"));
  }
  return names.empty() ? "none" : base::join(names, ", ");
}

// JSON Lines, CSV and text: one part, read from front to back.
class StreamFile : public RowFile {
 public:
  StreamFile(const base::ByteSource& source, std::shared_ptr<const base::ByteSource> owner, const FileKind& kind, const RowColumns& columns)
      : source_(source), owner_(std::move(owner)), wanted_(columns) {
    file_.path = source.name();
    file_.name = Path(source.name()).filename().string();
    file_.kind = kind;
    file_.text_column = columns.text;
    parts_.push_back({.first_row = 0, .rows = -1, .bytes = source.size()});
    ChunkReader reader(file_, {.chunk_bytes = 256 << 10}, source.stream());
    reason_ = reader.reason();
    if (kind.format == Format::kText) {
      columns_ = {{.name = columns.text, .type = "string", .is_text = true}};
    } else if (kind.format == Format::kCsv) {
      if (reader.csv_header())
        for (const auto& name : *reader.csv_header()) columns_.push_back({.name = name, .type = "string", .is_text = true});
    } else if (Chunk chunk; reader.next(chunk)) {
      columns_ = json_columns(chunk.bytes().substr(chunk.head));
      look_for_text(chunk);
    }
  }

  // BadInput when no row that was looked at can give its text.
  void check() const {
    if (reason_ == "binary" || reason_ == "not_utf8")
      throw base::bad_input({.what = reason_ == "binary" ? "the file holds control bytes like a binary file" : "the file's text is not UTF-8",
                             .where = source_.name(), .expected = kind_name(file_.kind) + " in UTF-8",
                             .remedy = "convert it, for example with `iconv -t UTF-8`, or name another file"});
    if (reason_ == "empty_text") return;
    auto require_column = [&](const std::string& name) {
      if (std::any_of(columns_.begin(), columns_.end(), [&](const Column& column) { return column.name == name; })) return;
      std::vector<std::string> names;
      for (const auto& column : columns_) names.push_back(column.name);
      const std::string near = base::closest(name, names);
      throw base::bad_input({.what = cat("the file has no column \"", name, "\""), .where = source_.name(), .found = cat("columns ", listed(columns_)),
                             .remedy = near.empty() ? "name one of these columns" : cat("did you mean \"", near, "\"?")});
    };
    if (!text_seen_) {
      require_column(wanted_.text);
      for (const auto& column : columns_)
        if (column.name == wanted_.text && !column.is_text)
          throw base::bad_input({.what = cat("the column \"", wanted_.text, "\" does not hold text"), .where = source_.name(), .expected = "a column of strings",
                                 .found = column.type, .remedy = cat("columns there are: ", listed(columns_))});
    }
    if (file_.kind.format == Format::kCsv)
      for (const auto& name : wanted_.extra) require_column(name);
  }

  const std::vector<Column>& columns() const override { return columns_; }
  const std::vector<FilePart>& parts() const override { return parts_; }
  std::unique_ptr<PartReader> open_part(size_t part) const override;

 private:
  friend class StreamPart;
  void look_for_text(const Chunk& chunk) {
    RowReader rows;
    rows.start(chunk);
    for (Row row; !text_seen_ && rows.next(row);) text_seen_ = !row.skipped;
  }

  const base::ByteSource& source_;
  std::shared_ptr<const base::ByteSource> owner_;
  RowColumns wanted_;
  SourceFile file_;
  std::vector<Column> columns_;
  std::vector<FilePart> parts_;
  std::string reason_;
  bool text_seen_ = false;
};

class StreamPart : public PartReader {
 public:
  explicit StreamPart(const StreamFile& owner)
      : chunks_(owner.file_, {}, owner.source_.stream()), rows_(owner.wanted_.extra), views_(owner.wanted_.extra.size()) {}

  bool next(FileRow& row) override {
    Row read;
    while (!open_ || !rows_.next(read)) {
      base::throw_if_interrupted();
      if (!chunks_.next(chunk_)) return false;
      rows_.start(chunk_);
      open_ = true;
    }
    for (size_t i = 0; i < views_.size(); ++i) views_[i] = rows_.extra()[i];
    if (chunk_.file->kind.format == Format::kText && !base::is_valid_utf8(read.text)) {
      repaired_ = base::replace_invalid_utf8(read.text);
      read.text = repaired_;
      read.repaired = true;
    }
    row = {.text = read.text, .id = read.id, .index = index_++, .line = read.line, .extra = views_, .skipped = read.skipped, .repaired = read.repaired};
    return true;
  }

 private:
  ChunkReader chunks_;
  RowReader rows_;
  Chunk chunk_;
  bool open_ = false;
  int64_t index_ = 0;
  std::string repaired_;
  std::vector<std::string_view> views_;
};

std::unique_ptr<PartReader> StreamFile::open_part(size_t part) const {
  base::require(part == 0, "a part of the file exists");
  return std::make_unique<StreamPart>(*this);
}

void refuse_unsupported(const std::string& name, const FileKind& kind) {
  if (kind.format != Format::kUnsupported) return;
  const std::string advice = conversion_advice(name);
  throw base::bad_input({.what = "files of this kind are not read", .where = name, .expected = kReadableFiles,
                         .remedy = advice.empty() ? "convert it to .txt or .jsonl" : advice});
}

}  // namespace

std::unique_ptr<RowFile> RowFile::open(std::shared_ptr<const base::ByteSource> source, const FileKind& kind, const RowColumns& columns) {
  refuse_unsupported(source->name(), kind);
  if (kind.format == Format::kParquet) return open_parquet(std::move(source), columns);
  auto file = std::make_unique<StreamFile>(*source, source, kind, columns);
  file->check();
  return file;
}

std::vector<Column> RowFile::list_columns(const base::ByteSource& source, const FileKind& kind) {
  refuse_unsupported(source.name(), kind);
  if (kind.format == Format::kParquet) return parquet_columns(source);
  return StreamFile(source, nullptr, kind, {}).columns();
}

RowTally RowFile::read_part(size_t part, const RowVisitor& visit) const {
  const auto rows = open_part(part);
  RowTally tally;
  for (FileRow row; rows->next(row);) {
    ++tally.rows;
    if (row.skipped) ++tally.skipped[row.skipped];
    if (!visit(row)) break;
  }
  return tally;
}

}  // namespace picochat::corpus
