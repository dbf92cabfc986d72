// From the files of a run to a verdict, and back: what the gate judged, collected from the reports
// themselves, so that the same code judges at the end of a run, judges anew when evidence was added, and
// replays a verdict for somebody who has the files only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"
#include "picochat/evidence/run_files.hpp"
#include "picochat/gate/release_gate.hpp"

namespace picochat::evidence {

inline constexpr const char* kEvidenceFile = "gate/gate_evidence.json";  // what was judged
inline constexpr const char* kVerdictFile = "gate/gate.json";

// Never throws on what a report holds: a report that is damaged becomes a fault that names its file.
gate::GateEvidence collect_gate_evidence(const RunFiles& files);

// Judges and writes gate/gate_evidence.json, gate/gate.md and, last, gate/gate.json.
gate::GateVerdict judge_run(base::FileSystem& files, const base::Path& run_dir, gate::GateProfile profile);

struct Replay {
  std::string status;    // "same": the files are those that were judged, and give the recorded verdict; else "differs"
  gate::GateVerdict verdict;  // of the files as they are now
  std::string recorded_status;
  std::vector<std::string> evidence_differences, verdict_differences;  // one line each
};
// A run without gate/gate.json or gate/gate_evidence.json: BadInput saying how to make them.
Replay replay_gate(const RunFiles& files);
// The same for files that may be damaged: the replay, or why there is none.
struct ReplayAttempt {
  std::optional<Replay> replay;
  std::string failure;
};
ReplayAttempt try_replay(const RunFiles& files);
base::Json to_json(const Replay& replay);
std::string replay_text(const Replay& replay);

struct ReplayOptions {
  std::string target;  // run directory or bundle
  bool json = false;
};
const base::OptionTable<ReplayOptions>& replay_options();
// {"status": "same" | "differs", ...}
base::CommandOutput replay_command(const ReplayOptions& options);

}  // namespace picochat::evidence
