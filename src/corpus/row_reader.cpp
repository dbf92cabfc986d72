#include "corpus/row_reader.hpp"

#include <cstring>

#include <simdjson.h>

#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"

namespace picochat::corpus {
namespace {

static_assert(kPadding >= simdjson::SIMDJSON_PADDING);
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

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

}  // namespace

struct RowReader::Parser {
  simdjson::dom::parser dom;
  std::string repaired, id;
};

RowReader::RowReader() : parser_(std::make_unique<Parser>()) {}
RowReader::~RowReader() = default;
RowReader::RowReader(RowReader&&) noexcept = default;

void RowReader::start(const Chunk& chunk) {
  chunk_ = &chunk;
  at_ = 0;
  line_ = chunk.first_line;
  if (chunk.first && chunk.bytes().starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
}

bool RowReader::next(Row& row) {
  row.text = row.id = {};
  row.skipped = nullptr;
  row.repaired = false;
  row.detail.clear();
  const std::string_view bytes = chunk_->bytes();
  if (chunk_->too_long) {
    row.line = line_;
    row.skipped = "row_too_long";
    const bool counts = at_ < bytes.size() && chunk_->too_long_starts;
    at_ = bytes.size();
    return counts;
  }
  if (chunk_->file->format == Format::kText) {
    if (at_ >= bytes.size()) return false;
    row.text = bytes.substr(at_);
    row.line = line_;
    at_ = bytes.size();
    return true;
  }
  while (at_ < bytes.size()) {
    const void* newline = std::memchr(bytes.data() + at_, '\n', bytes.size() - at_);
    const size_t end = newline ? static_cast<size_t>(static_cast<const char*>(newline) - bytes.data()) : bytes.size();
    const size_t begin = at_;
    row.line = line_++;
    at_ = end + 1;
    if (base::trim(bytes.substr(begin, end - begin)).empty()) continue;
    parse(begin, end, row);
    return true;
  }
  return false;
}

void RowReader::parse(size_t begin, size_t end, Row& row) {
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
  row.skipped = "missing_text_column";
  for (dom::key_value_pair field : object) {  // of a repeated key the last one counts, as in Python
    if (field.key == "text") {
      std::string_view text;
      row.skipped = field.value.get(text) ? "text_column_not_string" : nullptr;
      row.text = text;
    } else if (field.key == "id") {
      int64_t number = 0;
      if (field.value.get(row.id) && !field.value.get(number)) row.id = parser_->id = std::to_string(number);
    }
  }
  if (row.skipped && std::string_view(row.skipped) == "missing_text_column") {
    size_t shown = 0;
    for (dom::key_value_pair field : object) {
      if (++shown > 8) break;
      row.detail += base::cat(row.detail.empty() ? "" : ", ", field.key.substr(0, 40));
    }
  }
}

std::string default_id(const Chunk& chunk, const Row& row) {
  if (chunk.file->format == Format::kJsonl) return base::cat(chunk.file->name, ":", row.line);
  if (chunk.part == 0) return chunk.file->name;
  std::string number = std::to_string(chunk.part);
  return base::cat(chunk.file->name, "#part-", std::string(number.size() < 6 ? 6 - number.size() : 0, '0'), number);
}

}  // namespace picochat::corpus
