#include "exporter/run_evidence.hpp"

#include <algorithm>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/judge.hpp"
#include "picochat/gate/release_gate.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using base::Json;
using base::Path;

constexpr const char* kEvidenceFiles[] = {
    "summary.md", "summary.json", "run.json", "preflight.md", "preflight.json", "honesty/honesty_report.json", "honesty/report.md",
    "base/report.md", "base/train_report.json", "base/curves.svg", "sft/report.md", "sft/sft_report.json", "sft/curves.svg",
    "sft_fit/report.md", "sft_fit/eval_report.json", "sft_fit_heldout/report.md", "sft_fit_heldout/eval_report.json",
    "eval/report.md", "eval/eval_report.json", "gate/gate.md", "gate/gate.json", "gate/gate_evidence.json"};

std::vector<std::string> external_reports(const Path& run_dir) {
  std::vector<std::string> paths;
  std::error_code none;
  for (const auto& folder : std::filesystem::directory_iterator(run_dir / "external_eval", none))
    for (const char* name : {"report.md", "eval_report.json"})
      if (std::filesystem::is_regular_file(folder.path() / name)) paths.push_back((folder.path() / name).lexically_relative(run_dir).generic_string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::optional<Path> run_directory(const Path& checkpoint) {
  Path at = std::filesystem::weakly_canonical(checkpoint);
  for (int up = 0; up < 4 && at.has_parent_path() && at != at.parent_path(); ++up) {
    at = at.parent_path();
    if (std::filesystem::exists(at / "run.json")) return at;
  }
  return std::nullopt;
}

ReleaseVerdict judge(const Path& run_dir, const base::Digest& checkpoint, const base::Digest& tokenizer) {
  const Path gate_file = run_dir / "gate/gate.json", evidence_file = run_dir / "gate/gate_evidence.json";
  ReleaseVerdict verdict;
  if (!std::filesystem::exists(gate_file) || !std::filesystem::exists(evidence_file)) {
    verdict.reason = "the run that made this checkpoint has not been judged";
    return verdict;
  }
  verdict.gate = base::read_json(gate_file);
  const auto judged = gate::gate_evidence_from_json(base::read_json(evidence_file), evidence_file.string());
  auto about = [&](const char* what, const base::Digest& digest) {
    const auto found = judged.digests.find(what);
    return found != judged.digests.end() && found->second == digest.hex();
  };
  if (!about("checkpoint", checkpoint) || !about("tokenizer", tokenizer)) {
    verdict.gate = nullptr;
    verdict.reason = "the run's gate judged another checkpoint than this one";
    return verdict;
  }
  const auto replay = evidence::replay_gate(*evidence::open_run_files(run_dir));
  if (replay.status != "same") {
    const auto& differences = replay.evidence_differences.empty() ? replay.verdict_differences : replay.evidence_differences;
    verdict.status = "blocked";
    verdict.reason = cat("the run's files do not give the recorded verdict: ", differences.empty() ? "see picochat gate replay" : differences.front());
    return verdict;
  }
  verdict.status = base::get_string(verdict.gate, "status", gate_file.string());
  verdict.reason = base::get_string_or(verdict.gate, "summary", "", gate_file.string());
  return verdict;
}

}  // namespace

RunEvidence find_evidence(const Path& checkpoint, const base::Digest& checkpoint_digest, const base::Digest& tokenizer_digest) {
  RunEvidence found{.run_dir = run_directory(checkpoint)};
  if (!found.run_dir) {
    found.verdict.reason = "the checkpoint does not lie in a run directory, so there is no evidence about it";
    return found;
  }
  found.verdict = judge(*found.run_dir, checkpoint_digest, tokenizer_digest);
  for (const char* path : kEvidenceFiles)
    if (std::filesystem::is_regular_file(*found.run_dir / path)) found.files.emplace_back(path);
  for (auto& path : external_reports(*found.run_dir)) found.files.push_back(std::move(path));
  const Path summary = *found.run_dir / "summary.json";
  if (found.verdict.gate.is_object() && std::filesystem::is_regular_file(summary)) found.summary = base::read_json(summary);
  return found;
}

}  // namespace picochat::exporter
