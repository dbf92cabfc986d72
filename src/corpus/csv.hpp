// CSV by RFC 4180: fields may be quoted, quoted fields may hold delimiters, newlines and doubled quotes.
// Beyond it, as spreadsheets and Python's csv module do: "\n" ends a record like "\r\n", a quote inside
// an unquoted field is a plain character, and what follows a closing quote belongs to the field.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace picochat::corpus {

// One past the newline that ends the record at `at`, or npos when the bytes end inside it.
size_t csv_record_end(std::string_view bytes, size_t at, char delimiter);

struct CsvRecord {
  std::vector<std::string_view> fields;  // as written, quotes included
  bool unterminated = false;             // ends inside quotes
};
// `record` without its newline.
void split_csv(std::string_view record, char delimiter, CsvRecord& out);

// The value of a field; looks into the field, or into `scratch` when something had to be taken out.
std::string_view csv_value(std::string_view field, std::string& scratch);

// A record without its "\n" or "\r\n".
std::string_view without_newline(std::string_view record);

}  // namespace picochat::corpus
