// One archive that holds a run's evidence and selected checkpoints, tied together by digest, so that a
// stranger can verify it without the machine that trained. Format: docs/formats/bundle.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::evidence {

struct BundleOptions {
  std::string run_dir;
  std::optional<std::string> out;  // default: <run name>-bundle.tgz in the current folder
  std::optional<std::string> logs_dir;
  bool include_corpus = false, include_token_shards = false, strict = false, json = false;
  std::string checkpoints = "selected";  // or "all": resume, last, moving-average and best ones too
};
const base::OptionTable<BundleOptions>& bundle_options();

// A file made for the bundle, or taken from outside the run directory.
struct ExtraFile {
  base::Path source;
  std::string path;  // in the bundle, relative to the run's folder
};

// Writes the archive and, beside it, <out>.manifest.json and <out>.manifest.md. The archive's bytes depend on
// the files alone. With `strict`: Blocked (exit 3), listing every required artifact that is missing, stale or
// damaged with the command that makes it, and nothing is written. Links in the run are not followed.
base::CommandOutput write_bundle(base::FileSystem& files, const BundleOptions& options, const std::vector<ExtraFile>& extra);

struct InspectBundleOptions {
  std::string bundle;
  bool json = false;
};
const base::OptionTable<InspectBundleOptions>& inspect_bundle_options();
base::CommandOutput inspect_bundle(const InspectBundleOptions& options);

struct VerifyOptions {
  std::string target;  // bundle or run directory
  bool json = false;
};
const base::OptionTable<VerifyOptions>& verify_options();
// {"status": "verified" | "failed", "problems": [{file, problem}], ...}: every digest, every tie between the artifacts,
// and the gate's verdict recomputed from the files.
base::CommandOutput verify(const VerifyOptions& options);

}  // namespace picochat::evidence
