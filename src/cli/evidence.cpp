#include "bind.hpp"
#include "picochat/evidence/bundle.hpp"
#include "picochat/evidence/judge.hpp"
#include "picochat/evidence/run_tables.hpp"
#include "picochat/factory/bundle_run.hpp"
#include "picochat/factory/judge_again.hpp"
#include "subcommands.hpp"

namespace picochat::cli {
namespace {

// Prints the output; a status that is not good is exit code 3.
template <typename Options>
base::ExitCode print_checked(const base::CommandOutput& output, const Options& options, const char* good) {
  base::write_result(options.json ? base::dump(output.json) + "\n" : output.text);
  return output.json.at("status") == good ? base::ExitCode::kDone : base::ExitCode::kBlocked;
}

}  // namespace

std::vector<Command> evidence_commands() {
  auto& files = base::real_file_system();
  return {
      bind_output({"run", "bundle"}, "package a run's evidence and checkpoints so that a stranger can verify them", evidence::bundle_options(),
                  [&files](const evidence::BundleOptions& o) { return factory::bundle_run(files, o); }),
      bind({"run", "verify"}, "check every digest of a bundle or run and judge it again", evidence::verify_options(),
           [](const evidence::VerifyOptions& o, const Invocation&) { return print_checked(evidence::verify(o), o, "verified"); }),
      bind_output({"run", "inspect-bundle"}, "what a bundle holds", evidence::inspect_bundle_options(), evidence::inspect_bundle),
      bind({"gate", "replay"}, "recompute a verdict from the files of a run or bundle", evidence::replay_options(),
           [](const evidence::ReplayOptions& o, const Invocation&) { return print_checked(evidence::replay_command(o), o, "same"); }),
      bind_output({"compare"}, "finished runs beside each other", evidence::compare_options(),
                  [&files](const evidence::RunTableOptions& o) { return evidence::compare_runs(files, o); }),
      bind_output({"leaderboard"}, "runs in order of their scores, suite by suite", evidence::leaderboard_options(),
                  [&files](const evidence::RunTableOptions& o) { return evidence::leaderboard(files, o); }),
      bind_output({"registry"}, "finished runs and bundles with verdict, scores and places; release cards", evidence::registry_options(),
                  [&files](const evidence::RegistryOptions& o) { return evidence::registry(files, o); }),
      bind_output({"gate", "judge"}, "judge a finished run again, with evidence added since", factory::judge_again_options(),
                  [&files](const factory::JudgeAgainOptions& o) { return factory::judge_again(files, o); }, true),
  };
}

}  // namespace picochat::cli
