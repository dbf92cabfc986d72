#include "corpus/csv.hpp"

namespace picochat::corpus {
namespace {

constexpr size_t kNone = std::string_view::npos;

// One past the quote that closes the field whose opening quote is at `at`; npos: not closed.
size_t closing_quote(std::string_view bytes, size_t at) {
  for (++at;;) {
    const size_t quote = bytes.find('"', at);
    if (quote == kNone) return kNone;
    if (quote + 1 == bytes.size() || bytes[quote + 1] != '"') return quote + 1;
    at = quote + 2;
  }
}

size_t field_end(std::string_view bytes, size_t at, char delimiter) {
  while (at < bytes.size() && bytes[at] != delimiter && bytes[at] != '\n') ++at;
  return at;
}

}  // namespace

size_t csv_record_end(std::string_view bytes, size_t at, char delimiter) {
  while (at < bytes.size()) {
    if (bytes[at] == '"') {
      at = closing_quote(bytes, at);
      if (at == kNone || at == bytes.size()) return kNone;  // a quote at the very end may be half of a doubled one
    }
    at = field_end(bytes, at, delimiter);
    if (at < bytes.size() && bytes[at] == '\n') return at + 1;
    ++at;
  }
  return kNone;
}

void split_csv(std::string_view record, char delimiter, CsvRecord& out) {
  out.fields.clear();
  out.unterminated = false;
  for (size_t at = 0;;) {
    size_t end = at;
    if (at < record.size() && record[at] == '"') {
      end = closing_quote(record, at);
      if (end == kNone) {
        out.unterminated = true;
        end = record.size();
      }
    }
    while (end < record.size() && record[end] != delimiter) ++end;
    out.fields.push_back(record.substr(at, end - at));
    if (end == record.size()) return;
    at = end + 1;
  }
}

std::string_view csv_value(std::string_view field, std::string& scratch) {
  if (field.empty() || field.front() != '"') return field;
  const size_t close = closing_quote(field, 0);
  const std::string_view quoted = field.substr(1, (close == kNone ? field.size() : close - 1) - 1);
  const std::string_view behind = close == kNone ? std::string_view() : field.substr(close);
  if (behind.empty() && quoted.find('"') == kNone) return quoted;
  scratch.clear();
  for (size_t at = 0; at < quoted.size();) {
    const size_t quote = quoted.find('"', at);
    if (quote == kNone) {
      scratch.append(quoted, at);
      break;
    }
    scratch.append(quoted, at, quote + 1 - at);
    at = quote + 2;
  }
  scratch += behind;
  return scratch;
}

std::string_view without_newline(std::string_view record) {
  if (record.ends_with('\n')) record.remove_suffix(1);
  if (record.ends_with('\r')) record.remove_suffix(1);
  return record;
}

}  // namespace picochat::corpus
