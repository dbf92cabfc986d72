// JSON Lines against nlohmann/json: what we take as a row, it reads with the same text.
#include <nlohmann/json.hpp>

#include "rows_fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto rows = fuzz::check_rows(bytes, "x.jsonl");
  std::vector<std::string> lines;
  std::string line;
  for (const char c : bytes) {
    if (c == '\n') lines.push_back(line), line.clear();
    else line += c;
  }
  lines.push_back(line);
  for (const auto& row : rows) {
    if (!row.skipped.empty()) continue;
    fuzz::check(row.line >= 1 && static_cast<size_t>(row.line) <= lines.size(), "the line exists");
    std::string text = lines[static_cast<size_t>(row.line) - 1];
    if (row.line == 1 && text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    const auto value = nlohmann::json::parse(text, nullptr, false);
    if (value.is_discarded()) continue;  // repaired bytes, half surrogates: nlohmann is stricter
    fuzz::check(value.is_object() && value.contains("text") && value["text"].is_string(), "nlohmann sees a text");
    fuzz::check(value["text"].get<std::string>() == row.text, "nlohmann reads the same text");
  }
  return 0;
}
