#include "picochat/factory/judge_again.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/judge.hpp"
#include "picochat/evidence/run_summary.hpp"

namespace picochat::factory {

using base::cat;
using base::Json;
using base::Path;

const base::OptionTable<JudgeAgainOptions>& judge_again_options() {
  static const auto table = [] {
    base::OptionTable<JudgeAgainOptions> t;
    t.add("run_dir", &JudgeAgainOptions::run_dir, "finished run").must().place();
    t.add("profile", &JudgeAgainOptions::profile, "judge under this profile; default: the run's own").choose({"research", "first_release", "skill_release"});
    t.add("json", &JudgeAgainOptions::json, "print the verdict as JSON");
    return t;
  }();
  return table;
}

base::CommandOutput judge_again(base::FileSystem& files, const JudgeAgainOptions& options) {
  const Path dir = options.run_dir;
  if (!std::filesystem::exists(dir / "summary.json"))
    throw base::bad_input({.what = "there is no finished run here", .where = dir.string(), .expected = "a folder with summary.json",
                           .remedy = "run `picochat run tiny` to its end, then judge again"});
  const base::DirectoryLock lock(dir);
  Json summary = base::read_json(dir / "summary.json");
  const std::string where = (dir / "summary.json").string();
  const std::string profile = options.profile ? *options.profile : base::get_string(summary.at("long_run_gate"), "profile", where);
  const auto verdict = evidence::judge_run(files, dir, gate::parse_gate_profile(profile, "--profile"));
  summary["long_run_gate"] = gate::to_json(verdict);
  for (const auto& [name, path] : {std::pair{"gate", "gate/gate.json"}, {"gate_evidence", "gate/gate_evidence.json"}}) summary["artifacts"][name] = evidence::artifact(dir, dir / path);
  evidence::write_summary(files, dir, summary);
  return {gate::to_json(verdict), gate::gate_table(verdict)};
}

}  // namespace picochat::factory
