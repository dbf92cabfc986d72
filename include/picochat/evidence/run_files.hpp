// The files of a run as a judge sees them: a run directory, or a bundle that was never unpacked. Paths are
// relative to the run directory, with '/'.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"

namespace picochat::evidence {

class RunFiles {
 public:
  virtual ~RunFiles() = default;
  virtual std::vector<std::string> list() const = 0;  // sorted; regular files only
  virtual bool contains(const std::string& path) const = 0;
  virtual uint64_t size(const std::string& path) const = 0;
  virtual base::Digest digest(const std::string& path) const = 0;  // of the bytes; computed once
  // The bytes of a report. A bundle keeps its .json files and SHA256SUMS, up to 64 MiB each.
  virtual std::string read(const std::string& path) const = 0;
  virtual std::string where(const std::string& path) const = 0;  // for errors
};

// A folder, or a .tgz that `run bundle` wrote (one pass over it; memory: its JSON files). BadInput for a
// path that is neither, for a truncated or damaged archive, and for entries that no bundle has: links,
// devices, absolute paths, "..", a name twice, more than one top folder.
std::unique_ptr<RunFiles> open_run_files(const base::Path& path);

// The checkpoint that a run evaluates, exports and is judged by: of the last stage that it trained, "dpo/checkpoint" or "sft/checkpoint".
std::string aligned_checkpoint(const RunFiles& files);
std::string aligned_checkpoint(const base::Path& run_dir);

// Digest of an artifact folder: that of its manifest.json; absent when it has none.
std::optional<base::Digest> artifact_digest(const RunFiles& files, const std::string& folder);

}  // namespace picochat::evidence
