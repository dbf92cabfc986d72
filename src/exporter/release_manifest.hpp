// release_manifest.json: what an export is, what it was made from, and the digest of every file.
#pragma once

#include <map>
#include <string>

#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::exporter {

inline constexpr const char* kReleaseManifest = "release_manifest.json";
inline constexpr const char* kReleaseFormat = "picochat-hf-export";

// {"path": {"bytes", "sha256"}} of every file under `folder`. `known` digests are compared with what is on the disk now.
base::Json digest_files(const base::Path& folder, const std::map<std::string, base::Digest>& known);

// BadInput naming a file that a model is read from and that is not what an export's manifest says; a folder without one passes.
void check_as_exported(const base::Path& folder);

// Stops before anything of somebody else's is lost: BadInput unless `out_dir` is absent, empty, or holds exactly an
// export of ours. True when there is such an export, which may be replaced.
bool check_replaceable(const base::Path& out_dir);

}  // namespace picochat::exporter
