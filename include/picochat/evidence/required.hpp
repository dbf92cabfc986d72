// What a public model must ship with: the nine artifacts of the founding document, each found in the run's
// files and checked against the others, or named as missing with the command that makes it.
#pragma once

#include <string>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/evidence/judge.hpp"
#include "picochat/evidence/run_files.hpp"

namespace picochat::evidence {

struct RequiredArtifact {
  std::string name;                // "git_commit", "dataset_pack", ...
  std::string purpose;             // why it matters
  std::string status = "present";  // present | missing | stale (made for something else) | damaged
  std::vector<std::string> files;  // that hold it
  std::string problem, remedy;     // when it is not present
};

// In the founding document's order. Never throws on what the files hold. replay: try_replay() of the same files.
std::vector<RequiredArtifact> required_artifacts(const RunFiles& files, const ReplayAttempt& replay);
base::Json to_json(const std::vector<RequiredArtifact>& artifacts);

}  // namespace picochat::evidence
