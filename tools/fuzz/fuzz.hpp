// What the fuzz targets share.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::fuzz {

inline void check(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// The only way out besides success is an error of ours about the input; false then. Anything else ends the process.
template <typename Read>
bool accepted(const Read& read) {
  try {
    read();
    return true;
  } catch (const base::Error& error) {
    if (error.code() != base::ExitCode::kBadInput) std::fprintf(stderr, "%s\n", error.what());
    check(error.code() == base::ExitCode::kBadInput, "errors are about the input");
    return false;
  }
}

inline std::string_view text_of(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// The input as `count` files: each but the last ends at a line "%%".
inline std::vector<std::string_view> parts_of(std::string_view text, size_t count) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < count) {
    const size_t cut = text.find("\n%%\n");
    parts.push_back(text.substr(0, cut));
    text = cut == std::string_view::npos ? std::string_view() : text.substr(cut + 4);
  }
  parts.push_back(text);
  return parts;
}

// One folder for all inputs of a process. Put TMPDIR into memory (/dev/shm).
inline const test::TemporaryFolder& folder() {
  static const test::TemporaryFolder folder;
  return folder;
}

// An artifact of these files, whose digests are right. Without the threads and syncs of write_manifest().
inline std::filesystem::path write_artifact(const std::string& kind, const std::vector<const char*>& names, const std::vector<std::string_view>& parts) {
  base::Json manifest{{"kind", kind}, {"files", base::Json::object()}};
  for (size_t i = 0; i < names.size(); ++i) {
    folder().write(std::string("artifact/") + names[i], parts[i]);
    manifest["files"][names[i]] = {{"bytes", parts[i].size()}, {"sha256", base::sha256(parts[i]).hex()}};
  }
  folder().write("artifact/manifest.json", manifest.dump());
  return folder() / "artifact";
}

}  // namespace picochat::fuzz
