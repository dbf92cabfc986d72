#include "exporter/release_manifest.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::exporter {

using base::cat;
using base::Json;
using base::Path;

Json digest_files(const Path& folder, const std::map<std::string, base::Digest>& known) {
  Json files = Json::object();
  for (const auto& path : base::list_files(folder)) {
    const std::string name = path.generic_string();
    const auto digest = base::sha256_file(folder / path);
    if (const auto written = known.find(name); written != known.end() && written->second != digest)
      throw base::environment_error({.what = "the file does not read back as it was written", .where = name, .expected = written->second.hex(), .found = digest.hex(),
                                     .remedy = "nothing was published; check the disk and run the same command again"});
    files[name] = {{"bytes", std::filesystem::file_size(folder / path)}, {"sha256", digest.hex()}};
  }
  return files;
}

void check_as_exported(const Path& folder) {
  const Path path = folder / kReleaseManifest;
  if (!std::filesystem::exists(path)) return;
  const Json manifest = base::read_json(path);
  if (!manifest.is_object() || manifest.value("format", Json()) != kReleaseFormat || !manifest.contains("files") || !manifest.at("files").is_object()) return;
  for (const auto& [name, entry] : manifest.at("files").items()) {
    const bool read = name.ends_with(".safetensors") || name.ends_with(".index.json") || name == "config.json" || name == "tokenizer.json";
    if (!read || !entry.is_object()) continue;
    const bool there = std::filesystem::exists(folder / name);
    const std::string found = there ? base::sha256_file(folder / name).hex() : "nothing", expected = entry.value("sha256", std::string());
    if (found != expected)
      throw base::bad_input({.what = "the file is not the one that was exported", .where = (folder / name).string(), .expected = expected, .found = found,
                             .remedy = cat("export the model again, or fetch the file again; if the change is meant, remove ", kReleaseManifest, ", which no longer describes the folder")});
  }
}

bool check_replaceable(const Path& out_dir) {
  if (!std::filesystem::exists(out_dir)) return false;
  if (!std::filesystem::is_directory(out_dir)) throw base::bad_input({.what = "the output is a file", .where = out_dir.string(), .expected = "a new or empty folder"});
  if (std::filesystem::is_empty(out_dir)) return false;
  auto refuse = [&](const std::string& found) {
    throw base::bad_input({.what = "the output folder is not empty", .where = out_dir.string(), .expected = "a new or empty folder, or an earlier export to replace",
                           .found = found, .remedy = "choose another --out-dir, or move what is there away"});
  };
  const Path manifest_path = out_dir / kReleaseManifest;
  if (!std::filesystem::exists(manifest_path)) refuse(std::filesystem::directory_iterator(out_dir)->path().filename().string());
  const Json manifest = base::read_json(manifest_path);
  if (!manifest.is_object() || manifest.value("format", Json()) != kReleaseFormat || !manifest.contains("files") || !manifest.at("files").is_object())
    refuse(cat(kReleaseManifest, " of something else"));
  for (const auto& path : base::list_files(out_dir)) {
    const std::string name = path.generic_string();
    if (name == kReleaseManifest) continue;
    const auto entry = manifest.at("files").find(name);
    if (entry == manifest.at("files").end()) refuse(cat(name, ", which is not part of the export"));
    if (entry->value("bytes", uint64_t{0}) != std::filesystem::file_size(out_dir / path) || entry->value("sha256", "") != base::sha256_file(out_dir / path).hex())
      refuse(cat(name, ", changed since the export"));
  }
  return true;
}

}  // namespace picochat::exporter
