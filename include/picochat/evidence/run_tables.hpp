// Tables over finished runs. Figures stand with their intervals; runs whose files are not those that were judged are
// shown as "unverified" and are never called the best.
#pragma once

#include <optional>
#include <string>

#include "picochat/evidence/run_record.hpp"

namespace picochat::evidence {

// compare: one column for each run, one row for each figure. The best of a row is named only where the runs were measured
// on the same thing (same eval file, same held-out text), with a word on whether the intervals lie apart.
const base::OptionTable<RunTableOptions>& compare_options();
base::CommandOutput compare_runs(base::FileSystem& files, const RunTableOptions& options);

// leaderboard: every suite (overall, categories, levels, external benchmarks) with the runs in order of their score.
const base::OptionTable<RunTableOptions>& leaderboard_options();
base::CommandOutput leaderboard(base::FileSystem& files, const RunTableOptions& options);

// registry: one line for each run with verdict, size, scores and where its files are; the best by verdict, eval, fit.
struct RegistryOptions : RunTableOptions {
  std::optional<std::string> runs_dir;      // every run and bundle in it
  std::optional<std::string> release_card;  // of exactly one run, as Markdown
};
const base::OptionTable<RegistryOptions>& registry_options();
base::CommandOutput registry(base::FileSystem& files, const RegistryOptions& options);

// One run on one page: verdict, weakest category, figures, findings, benchmarks, and the required artifacts with their state.
std::string release_card(const RunRecord& run);

}  // namespace picochat::evidence
