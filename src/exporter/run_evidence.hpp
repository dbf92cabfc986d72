// What the run that made a checkpoint recorded about it: the gate's verdict, checked anew, and the
// files that prove it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"

namespace picochat::exporter {

struct ReleaseVerdict {
  std::string status = "not_judged";  // approved | warn | blocked | not_judged
  std::string reason;                 // one sentence
  base::Json gate;                    // gate/gate.json; null when there is none
};

struct RunEvidence {
  std::optional<base::Path> run_dir;
  ReleaseVerdict verdict;
  std::vector<std::string> files;  // relative to run_dir, those that exist
  base::Json summary;              // summary.json; null without one, or when the verdict is about another checkpoint
};

// The run directory that `checkpoint` lies in is the nearest folder above it with a run.json. A verdict about another
// checkpoint or tokenizer is none; one that its own evidence does not give, or whose evidence was altered, is blocked.
RunEvidence find_evidence(const base::Path& checkpoint, const base::Digest& checkpoint_digest, const base::Digest& tokenizer_digest);

}  // namespace picochat::exporter
