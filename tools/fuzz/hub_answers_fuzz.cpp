// libFuzzer target: what a hub may answer. The first byte chooses who reads the rest. Nothing but the
// project's own errors may come out.
#include <cstdint>
#include <string>
#include <string_view>

#include "hub/answers.hpp"
#include "hub/url.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/hub/card.hpp"
#include "picochat/hub/data_files.hpp"

namespace {

using namespace picochat;

std::string kind_of(std::string_view name) { return name.ends_with(".parquet") ? "parquet" : name.ends_with(".csv") ? "csv" : ""; }

// Lines: paths of files; an empty line; then patterns.
void resolve(std::string_view text, const hub::Card& card) {
  std::vector<hub::RepoFile> files;
  hub::DataFilesRequest request{.kind = kind_of};
  bool patterns = false;
  for (const auto& line : base::split(text.substr(0, 2000), '\n')) {
    if (line.empty()) patterns = true;
    else if (patterns) request.patterns.push_back(line);
    else files.push_back({.path = line, .size = 1});
  }
  hub::resolve_data_files(files, card, request, "fuzz");
}

void read(uint8_t choice, std::string_view text) {
  switch (choice % 8) {
    case 0: hub::parse_revision(text, "fuzz"); return;
    case 1: hub::parse_tree_page(text, "fuzz"); return;
    case 2: hub::parse_conversion(text, "fuzz"); return;
    case 3: {
      const std::string next = hub::next_page(text);
      hub::resolve_url("https://hub.example/api/tree", next);
      return;
    }
    case 4: {
      hub::parse_content_range(text);
      const size_t cut = text.find('\n');
      hub::asked_wait(text.substr(0, cut), cut == std::string_view::npos ? "" : text.substr(cut), 1000);
      return;
    }
    case 5: hub::parse_card(text, "fuzz"); return;
    case 6: resolve(text, {}); return;
    default: {
      const size_t cut = text.find("\n\n\n");
      if (cut != std::string_view::npos) resolve(text.substr(cut + 3), hub::parse_card(text.substr(0, cut), "fuzz"));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  try {
    read(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const base::Error&) {
  }
  return 0;
}
