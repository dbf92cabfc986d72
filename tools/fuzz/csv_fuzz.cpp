// CSV: writing what was read and reading it again gives the same rows.
#include "rows_fuzz.hpp"

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  fuzz::check_rows(bytes, "x.tsv");
  const auto rows = fuzz::check_rows(bytes, "x.csv");
  std::string written = "id,text\r\n";
  std::vector<fuzz::SeenRow> good;
  for (const auto& row : rows)
    if (row.skipped.empty()) {
      good.push_back(row);
      written += quoted(row.id) + "," + quoted(row.text) + "\r\n";
    }
  std::vector<fuzz::SeenRow> again;
  if (good.empty() || !fuzz::read_rows(written, "y.csv", {}, again) || again.empty()) return 0;  // looks binary
  fuzz::check(again.size() == good.size(), "as many rows as were written");
  for (size_t i = 0; i < good.size(); ++i) fuzz::check(again[i].text == good[i].text && again[i].id == good[i].id, "the same row");
  return 0;
}
