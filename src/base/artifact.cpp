#include "picochat/base/artifact.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/threads.hpp"

namespace picochat::base {
namespace {

constexpr const char* kRemedy = "this copy is damaged: restore it from a good one, or delete it so that an older one is used";

}  // namespace

Digest write_manifest(FileSystem& files, const Path& folder, const std::string& kind, const std::map<std::string, Digest>& known) {
  Json manifest{{"kind", kind}, {"files", Json::object()}};
  const auto paths = list_files(folder);
  std::vector<Digest> digests(paths.size());
  parallel_for(paths.size(), [&](size_t i) {
    const auto found = known.find(paths[i].generic_string());
    digests[i] = found == known.end() ? sha256_file(folder / paths[i]) : found->second;
  });
  for (size_t i = 0; i < paths.size(); ++i)
    manifest["files"][paths[i].generic_string()] = {{"bytes", std::filesystem::file_size(folder / paths[i])}, {"sha256", digests[i].hex()}};
  const std::string text = dump(manifest) + "\n";
  auto file = files.create(folder / kManifestFile);
  file->append(text);
  file->sync();
  file->close();
  return sha256(text);
}

Digest artifact_digest(const Path& folder) { return sha256_file(folder / kManifestFile); }

Digest verify_artifact(const Path& folder, const std::string& kind) {
  const Path path = folder / kManifestFile;
  if (!std::filesystem::exists(path))
    throw bad_input({.what = cat("not a complete ", kind, ": it has no ", kManifestFile), .where = folder.string(), .remedy = kRemedy});
  const std::string text = read_file(path);
  const Json manifest = parse_json(text, path.string());
  const std::string found = get_string(manifest, "kind", path.string());
  if (found != kind) throw bad_input({.what = "this folder is something else", .where = folder.string(), .expected = kind, .found = found});
  if (!manifest.contains("files") || !manifest.at("files").is_object())
    throw bad_input({.what = "the manifest lists no files", .where = path.string(), .remedy = kRemedy});
  for (const auto& [name, entry] : manifest.at("files").items()) {
    const Path file = folder / name;
    if (const Path inside = Path(name).lexically_normal(); inside.is_absolute() || inside.empty() || *inside.begin() == "..")
      throw bad_input({.what = "the manifest names a file outside its folder", .where = path.string(), .found = name, .remedy = kRemedy});
    const auto size = static_cast<uint64_t>(get_int(entry, "bytes", path.string()));
    std::error_code missing;
    const uint64_t actual = std::filesystem::file_size(file, missing);
    if (missing) throw bad_input({.what = "a file of the artifact is missing", .where = file.string(), .remedy = kRemedy});
    if (actual != size)
      throw bad_input({.what = "a file of the artifact has the wrong size", .where = file.string(), .expected = cat(size, " bytes"),
                       .found = cat(actual, " bytes"), .remedy = kRemedy});
    const Digest digest = sha256_file(file);
    if (digest.hex() != get_string(entry, "sha256", path.string()))
      throw bad_input({.what = "a file of the artifact was altered", .where = file.string(), .expected = get_string(entry, "sha256", path.string()),
                       .found = digest.hex(), .remedy = kRemedy});
  }
  for (const auto& name : list_files(folder))
    if (name != kManifestFile && !manifest.at("files").contains(name.generic_string()))
      throw bad_input({.what = "the artifact holds a file that its manifest does not list", .where = (folder / name).string(), .remedy = "delete that file"});
  return sha256(text);
}

}  // namespace picochat::base
