// `gate judge`: judges a finished run anew, after evidence was added to it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::factory {

struct JudgeAgainOptions {
  std::string run_dir;
  std::vector<std::string> external_eval;  // NAME=PATH each
  std::optional<std::string> profile;  // default: the one that the run was judged under
  bool json = false;
};
const base::OptionTable<JudgeAgainOptions>& judge_again_options();
// Scores the benchmarks that are given, looks for their rows in the training material, and writes honesty/, gate/, summary.json and summary.md anew. {"status": "approved" | "warn" | "blocked", ...}: the verdict.
base::CommandOutput judge_again(base::FileSystem& files, const JudgeAgainOptions& options);

}  // namespace picochat::factory
