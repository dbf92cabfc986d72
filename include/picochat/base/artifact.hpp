// An artifact is a folder whose manifest.json lists every file with its size and SHA-256. It is
// written last, so a folder with a manifest that verifies is whole; the digest of the manifest names
// the artifact. Neither holds a time, a host or a path outside the folder.
#pragma once

#include <map>
#include <string>

#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"

namespace picochat::base {

inline constexpr const char* kManifestFile = "manifest.json";

// Digests every file under `folder` and writes its manifest.json (synced). `kind` says what it is; `known` holds the
// digests, by name, of files that were digested while they were written.
Digest write_manifest(FileSystem& files, const Path& folder, const std::string& kind, const std::map<std::string, Digest>& known = {});

// Reads and checks everything; BadInput naming the missing, altered or unknown file.
Digest verify_artifact(const Path& folder, const std::string& kind);

// The digest of a manifest without checking the files it lists.
Digest artifact_digest(const Path& folder);

}  // namespace picochat::base
