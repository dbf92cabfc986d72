#include "picochat/evidence/judge.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using base::Json;

constexpr size_t kMostLines = 20;

Json recorded(const RunFiles& files, const char* path) {
  if (!files.contains(path))
    throw base::bad_input({.what = "this run was not judged", .where = files.where(path), .found = "no such file",
                           .remedy = "run the same `picochat run tiny` command again, or `picochat gate judge --run-dir RUN`"});
  Json json = base::parse_json(files.read(path), files.where(path));
  if (!json.is_object()) throw base::bad_input({.what = "this is not a report of the gate", .where = files.where(path), .expected = "a JSON object", .remedy = "restore it from a good copy"});
  return json;
}

// "digests/tokenizer: recorded ab12..., found cd34..." for every leaf that differs.
std::vector<std::string> leaf_differences(const Json& recorded, const Json& found) {
  const Json before = recorded.flatten(), now = found.flatten();
  std::vector<std::string> lines;
  auto shown = [](const Json& object, const std::string& key) { return object.contains(key) ? base::dump(object.at(key), -1).substr(0, 80) : std::string("nothing"); };
  auto compare = [&](const Json& keys, bool only_missing) {
    for (const auto& [key, value] : keys.items()) {
      if (only_missing ? before.contains(key) : (now.contains(key) && now.at(key) == value)) continue;
      lines.push_back(cat(key.substr(1), ": judged with ", shown(before, key), ", found ", shown(now, key)));
    }
  };
  compare(before, false);
  compare(now, true);
  if (lines.size() > kMostLines) {
    const size_t more = lines.size() - kMostLines;
    lines.resize(kMostLines);
    lines.push_back(cat("and ", more, " more"));
  }
  return lines;
}

}  // namespace

gate::GateVerdict judge_run(base::FileSystem& files, const base::Path& run_dir, gate::GateProfile profile) {
  const auto evidence = collect_gate_evidence(*open_run_files(run_dir));
  const auto verdict = gate::judge(evidence, profile);
  base::write_file(files, run_dir / kEvidenceFile, base::dump(gate::to_json(evidence)) + "\n");
  base::write_file(files, run_dir / "gate/gate.md", gate::gate_markdown(verdict));
  base::write_file(files, run_dir / kVerdictFile, base::dump(gate::to_json(verdict)) + "\n");
  return verdict;
}

namespace {

Replay replay(const RunFiles& files) {
  const Json verdict = recorded(files, kVerdictFile), evidence = recorded(files, kEvidenceFile);
  const auto profile = gate::parse_gate_profile(base::get_string(verdict, "profile", files.where(kVerdictFile)), files.where(kVerdictFile));
  const auto found = collect_gate_evidence(files);
  Replay replay{.verdict = gate::judge(found, profile), .recorded_status = base::get_string(verdict, "status", files.where(kVerdictFile))};
  replay.evidence_differences = leaf_differences(evidence, gate::to_json(found));
  replay.verdict_differences = gate::replay_differences(verdict, found);
  replay.status = replay.evidence_differences.empty() && replay.verdict_differences.empty() ? "same" : "differs";
  return replay;
}

}  // namespace

Replay replay_gate(const RunFiles& files) {
  try {
    return replay(files);
  } catch (const Json::exception& error) {
    throw base::bad_input({.what = cat("a report of the gate cannot be read: ", error.what()), .where = files.where(kVerdictFile),
                           .remedy = "restore it from a good copy, or make it again: `picochat gate judge --run-dir RUN`"});
  }
}

ReplayAttempt try_replay(const RunFiles& files) {
  try {
    return {.replay = replay_gate(files), .failure = {}};
  } catch (const base::Error& error) {
    return {.replay = {}, .failure = error.details().what};
  }
}

Json to_json(const Replay& replay) {
  return {{"status", replay.status}, {"recorded_verdict", replay.recorded_status}, {"verdict", gate::to_json(replay.verdict)},
          {"evidence_differences", replay.evidence_differences}, {"verdict_differences", replay.verdict_differences}};
}

std::string replay_text(const Replay& replay) {
  std::string out = gate::gate_table(replay.verdict);
  if (replay.status == "same") return out + "replay: the files are those that were judged, and they give the recorded verdict\n";
  for (const auto& line : replay.evidence_differences) out += cat("evidence differs: ", line, "\n");
  for (const auto& line : replay.verdict_differences) out += cat("verdict differs: ", line, "\n");
  return out + cat("replay: DIFFERS from the recorded verdict \"", replay.recorded_status, "\"\n");
}

const base::OptionTable<ReplayOptions>& replay_options() {
  static const auto table = [] {
    base::OptionTable<ReplayOptions> t;
    t.add("target", &ReplayOptions::target, "run directory, or bundle made by `run bundle`").must().place().alias("--run-dir").alias("--bundle");
    t.add("json", &ReplayOptions::json, "print the replay as JSON");
    return t;
  }();
  return table;
}

base::CommandOutput replay_command(const ReplayOptions& options) {
  const auto replay = replay_gate(*open_run_files(options.target));
  return {to_json(replay), replay_text(replay)};
}

}  // namespace picochat::evidence
