#include "tasks/benchmark_csv.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::tasks {

void read_csv(const base::Path& path, const std::function<void(const std::vector<std::string>&, int64_t)>& record) {
  const base::MappedFile file(path);
  std::string_view text = file.bytes();
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<std::string> fields(1);
  int64_t line = 1, begins = 1;
  bool quoted = false, was_quoted = false;
  auto finish = [&] {
    if (fields.size() > 1 || was_quoted || !base::trim(fields[0]).empty()) record(fields, begins);
    fields.assign(1, "");
    was_quoted = false;
    begins = line;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    line += c == '\n';
    if (quoted) {
      if (c != '"') fields.back() += c;
      else if (i + 1 < text.size() && text[i + 1] == '"') fields.back() += text[++i];
      else quoted = false;
    } else if (c == '"' && fields.back().empty()) {
      quoted = was_quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      finish();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  if (quoted)
    throw base::bad_input({.what = "a quoted field is never closed", .where = base::cat(path.string(), ":", begins), .remedy = "close the quote; quotes inside a field are doubled"});
  finish();
}

}  // namespace picochat::tasks
