// bundle_manifest.json: what a bundle holds, which required artifacts, and the digests that tie them together.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/evidence/required.hpp"
#include "picochat/evidence/run_files.hpp"

namespace picochat::evidence {

inline constexpr const char* kBundleManifest = "bundle_manifest.json";
inline constexpr const char* kBundleMarkdown = "bundle_manifest.md";
inline constexpr const char* kDigestList = "SHA256SUMS";  // of every other file; `sha256sum -c` reads it
inline constexpr const char* kBundleKind = "picochat-bundle";
inline constexpr int kBundleFormat = 1;

struct BundleFacts {
  std::string run;
  bool strict = false, include_corpus = false, include_token_shards = false, logs = false;
  std::vector<RequiredArtifact> required;
  std::map<std::string, std::string> excluded;  // folder or file -> flag that includes it
};
base::Json bundle_manifest(const RunFiles& files, const BundleFacts& facts);
std::string bundle_markdown(const base::Json& manifest);
std::string bundle_text(const base::Json& manifest);  // for a terminal

}  // namespace picochat::evidence
