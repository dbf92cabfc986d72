#include "picochat/base/jsonl.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::base {

void for_each_line(std::string_view bytes, const std::function<bool(std::string_view, int64_t)>& line) {
  for (int64_t number = 1; !bytes.empty(); ++number) {
    size_t end = bytes.find('\n');
    std::string_view text = bytes.substr(0, end);
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    if (!line(text, number)) return;
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
  }
}

void read_jsonl(const Path& path, const std::function<bool(const Json&, int64_t)>& row) {
  MappedFile file(path);
  for_each_line(file.bytes(), [&](std::string_view text, int64_t number) {
    if (trim(text).empty()) return true;
    Json value;
    try {
      value = parse_json(text, path.string());
    } catch (const Error& error) {  // the parser counts lines inside the row; the user wants the line of the file
      auto details = error.details();
      details.where = cat(path.string(), ":", number);
      throw Error(error.code(), details);
    }
    return row(value, number);
  });
}

JsonlAppender::JsonlAppender(FileSystem& files, const Path& path) {
  files.make_directories(path.parent_path());
  if (std::filesystem::exists(path)) {
    std::string bytes = read_file(path);
    size_t whole = bytes.empty() ? 0 : bytes.find_last_of('\n') + 1;  // npos + 1 == 0
    if (whole != bytes.size()) files.truncate(path, whole);
  }
  file_ = files.open_append(path);
}

void JsonlAppender::append(const Json& value) { file_->append(dump(value, -1) + "\n"); }
void JsonlAppender::sync() { file_->sync(); }

void filter_jsonl(FileSystem& files, const Path& path, const std::function<bool(const Json&)>& keep) {
  if (!std::filesystem::exists(path)) return;
  std::string kept;
  bool changed = false;
  std::string bytes = read_file(path);
  for_each_line(bytes, [&](std::string_view text, int64_t) {
    Json value = Json::parse(text, nullptr, false);
    if (!value.is_discarded() && keep(value)) kept.append(text).push_back('\n');
    else changed = true;
    return true;
  });
  if (changed) write_file(files, path, kept);
}

}  // namespace picochat::base
