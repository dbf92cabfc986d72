#include "corpus/row_reader.hpp"

#include <algorithm>
#include <cstring>

#include <simdjson.h>

#include "corpus/csv.hpp"
#include "corpus/json_text.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::corpus {
namespace {

static_assert(kPadding >= simdjson::SIMDJSON_PADDING);

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// -1 unless text[at..] is \uXXXX.
int escape_value(std::string_view text, size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  for (size_t i = at + 2; i < at + 6; ++i)
    if (!is_hex(text[i])) return -1;
  return static_cast<int>(std::stoul(std::string(text.substr(at + 2, 4)), nullptr, 16));
}

// What makes otherwise good rows unreadable: bytes that are not UTF-8 and escapes of half a surrogate
// pair. Both become U+FFFD.
std::string repair(std::string_view row) {
  std::string text = base::replace_invalid_utf8(row);
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') continue;
    const int value = escape_value(text, i);
    if (value >= 0xD800 && value <= 0xDBFF) {
      const int low = escape_value(text, i + 6);
      if (low >= 0xDC00 && low <= 0xDFFF) i += 10;
      else text.replace(i, 6, "\\ufffd");
    } else if (value >= 0xDC00 && value <= 0xDFFF) {
      text.replace(i, 6, "\\ufffd");
    }
    ++i;  // the escaped character
  }
  return text;
}

// A member of an object by its name, or by a dotted name through objects. Of a repeated key the last one
// counts, as in Python.
bool find_member(const simdjson::dom::object& object, std::string_view name, simdjson::dom::element& found) {
  bool any = false;
  for (const auto field : object)
    if (field.key == name) found = field.value, any = true;
  if (any) return true;
  for (size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.', dot + 1)) {
    simdjson::dom::element inside;
    simdjson::dom::object members;
    if (find_member(object, name.substr(0, dot), inside) && !inside.get(members) && find_member(members, name.substr(dot + 1), found)) return true;
  }
  return false;
}

}  // namespace

struct RowReader::Parser {
  simdjson::dom::parser dom;
  std::string repaired, id;
  // CSV: where the wanted columns are.
  std::shared_ptr<const std::vector<std::string>> header;
  const SourceFile* file = nullptr;
  size_t text_field = 0, id_field = 0;
  std::vector<size_t> extra_fields;
  CsvRecord record;
  std::string text_scratch, id_scratch, extra_scratch;
};

RowReader::RowReader(std::vector<std::string> extra)
    : extra_(std::move(extra)), extra_values_(extra_.size()), parser_(std::make_unique<Parser>()) {}
RowReader::~RowReader() = default;
RowReader::RowReader(RowReader&&) noexcept = default;

void RowReader::start(const Chunk& chunk) {
  chunk_ = &chunk;
  at_ = chunk.head;
  line_ = chunk.first_line;
  if (!chunk.csv_header || (parser_->header == chunk.csv_header && parser_->file == chunk.file)) return;
  parser_->header = chunk.csv_header;
  parser_->file = chunk.file;
  auto field_of = [&](const std::string& name) {
    return static_cast<size_t>(std::find(chunk.csv_header->begin(), chunk.csv_header->end(), name) - chunk.csv_header->begin());
  };
  parser_->text_field = field_of(chunk.file->text_column);
  parser_->id_field = field_of("id");
  parser_->extra_fields.clear();
  for (const auto& name : extra_) parser_->extra_fields.push_back(field_of(name));
}

bool RowReader::next(Row& row) {
  row.text = row.id = {};
  row.skipped = nullptr;
  row.repaired = false;
  row.detail.clear();
  for (auto& value : extra_values_) value = "null";
  const std::string_view bytes = chunk_->bytes();
  if (chunk_->file->kind.format == Format::kParquet) {
    if (at_ >= chunk_->decoded.size()) return false;
    next_decoded(row);
    return true;
  }
  if (chunk_->too_long) {
    row.line = line_;
    row.skipped = "row_too_long";
    const bool counts = at_ < bytes.size() && chunk_->too_long_starts;
    at_ = bytes.size();
    return counts;
  }
  if (chunk_->file->kind.format == Format::kText) {
    if (at_ >= bytes.size()) return false;
    row.text = bytes.substr(at_);
    row.line = line_;
    at_ = bytes.size();
    return true;
  }
  const bool csv = chunk_->file->kind.format == Format::kCsv;
  while (at_ < bytes.size()) {
    size_t end;
    const size_t begin = at_;
    row.line = line_;
    if (csv) {
      end = std::min(csv_record_end(bytes, at_, chunk_->file->kind.delimiter), bytes.size());
      line_ += std::count(bytes.begin() + static_cast<ptrdiff_t>(begin), bytes.begin() + static_cast<ptrdiff_t>(end), '\n');
      at_ = end;
      if (without_newline(bytes.substr(begin, end - begin)).empty()) continue;
      parse_csv(begin, end, row);
      return true;
    }
    const void* newline = std::memchr(bytes.data() + at_, '\n', bytes.size() - at_);
    end = newline ? static_cast<size_t>(static_cast<const char*>(newline) - bytes.data()) : bytes.size();
    ++line_;
    at_ = end + 1;
    if (base::trim(bytes.substr(begin, end - begin)).empty()) continue;
    parse_json(begin, end, row);
    return true;
  }
  return false;
}

void RowReader::next_decoded(Row& row) {
  const DecodedRow& decoded = chunk_->decoded[at_++];
  row.text = chunk_->bytes().substr(decoded.text_begin, decoded.text_end - decoded.text_begin);
  row.id = chunk_->bytes().substr(decoded.text_end, decoded.id_end - decoded.text_end);
  row.line = decoded.index + 1;
  row.skipped = decoded.skipped;
  row.repaired = decoded.repaired;
}

void RowReader::parse_csv(size_t begin, size_t end, Row& row) {
  Parser& p = *parser_;
  std::string_view record = without_newline(chunk_->bytes().substr(begin, end - begin));
  if (!base::is_valid_utf8(record)) {
    p.repaired = base::replace_invalid_utf8(record);
    record = p.repaired;
    row.repaired = true;
  }
  split_csv(record, chunk_->file->kind.delimiter, p.record);
  if (p.record.unterminated) row.skipped = "unterminated_quote";
  else if (p.record.fields.size() != p.header->size()) row.skipped = "wrong_field_count";
  if (row.skipped) return;
  row.text = csv_value(p.record.fields[p.text_field], p.text_scratch);
  if (p.id_field < p.record.fields.size() && p.id_field != p.text_field) row.id = csv_value(p.record.fields[p.id_field], p.id_scratch);
  for (size_t i = 0; i < extra_.size(); ++i) {
    if (p.extra_fields[i] >= p.record.fields.size()) continue;
    extra_values_[i].clear();
    append_json_string(extra_values_[i], csv_value(p.record.fields[p.extra_fields[i]], p.extra_scratch));
  }
}

void RowReader::parse_json(size_t begin, size_t end, Row& row) {
  using namespace simdjson;
  // The bytes behind the row (the next row, or the padding) are readable, so nothing is copied.
  dom::element element;
  error_code error = parser_->dom.parse(chunk_->buffer.data() + begin, end - begin, false).get(element);
  if (error == UTF8_ERROR || error == STRING_ERROR) {
    row.repaired = true;
    parser_->repaired = repair(chunk_->bytes().substr(begin, end - begin));
    error = parser_->dom.parse(parser_->repaired.data(), parser_->repaired.size(), true).get(element);
  }
  if (error) {
    row.skipped = "invalid_json";
    return;
  }
  dom::object object;
  if (element.get(object)) {
    row.skipped = "row_not_object";
    return;
  }
  dom::element value;
  int64_t number = 0;
  if (!find_member(object, chunk_->file->text_column, value)) row.skipped = "missing_text_column";
  else if (value.get(row.text)) row.skipped = "text_column_not_string";
  if (find_member(object, "id", value) && value.get(row.id) && !value.get(number)) row.id = parser_->id = std::to_string(number);
  for (size_t i = 0; i < extra_.size(); ++i)
    if (find_member(object, extra_[i], value)) extra_values_[i] = simdjson::minify(value);
  if (row.skipped && std::string_view(row.skipped) == "missing_text_column") {
    size_t shown = 0;
    for (dom::key_value_pair field : object) {
      if (++shown > 8) break;
      row.detail += base::cat(row.detail.empty() ? "" : ", ", field.key.substr(0, 40));
    }
  }
}

std::string default_id(const Chunk& chunk, const Row& row) {
  if (chunk.file->kind.format != Format::kText) return base::cat(chunk.file->name, ":", row.line);
  if (chunk.part == 0) return chunk.file->name;
  return base::cat(chunk.file->name, "#part-", base::zero_padded(static_cast<uint64_t>(chunk.part), 6));
}

}  // namespace picochat::corpus
