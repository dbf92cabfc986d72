// JSON Lines: one value a line. Reading names the line of a bad row; appending is for logs that a
// crash may cut in the middle of a line.
#pragma once

#include <functional>
#include <memory>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::base {

// Calls row(value, line_number) for each non-blank line (1-based). A line that is not JSON is
// BadInput with path:line. `row` returns false to stop.
void read_jsonl(const Path& path, const std::function<bool(const Json&, int64_t)>& row);

// Splits `bytes` at newlines without copying; the last line needs no newline. A "\r" before "\n" is dropped.
void for_each_line(std::string_view bytes, const std::function<bool(std::string_view, int64_t)>& line);

// A log file of JSON lines. Opening cuts off a last line that a crash left unfinished.
class JsonlAppender {
 public:
  JsonlAppender(FileSystem& files, const Path& path);
  void append(const Json& value);  // one write per line, readable at once
  void sync();

 private:
  std::unique_ptr<WritableFile> file_;
};

// Keeps the lines for which keep(value) is true (used on resume to cut what came after the checkpoint).
void filter_jsonl(FileSystem& files, const Path& path, const std::function<bool(const Json&)>& keep);

}  // namespace picochat::base
