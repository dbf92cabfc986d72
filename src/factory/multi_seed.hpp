// `run tiny --n-seeds N`: the same run under consecutive seeds, and how much the figures vary.
#pragma once

#include "picochat/factory/run_tiny.hpp"

namespace picochat::factory {

// Lies in a folder that holds the runs of several seeds.
constexpr const char* kSeedsFile = "multi_seed.json";

// Runs seed-<s>/ below --out-dir for s = seed, seed + 1, ..., each a whole run that its own directory carries; chat and eval rows that are
// generated are those of the first seed for all. Writes summary.json ("type": "multi_seed_tiny") and summary.md. The verdict is the
// worst of the seeds. A seed that is blocked before training stops the others.
RunOutcome run_seeds(base::FileSystem& files, const gate::ResolvedRunOptions& resolved, const std::string& command);

// {n, mean, std (of the sample; null below two), min, max} over the values that are numbers.
base::Json aggregate(const std::vector<base::Json>& values);

}  // namespace picochat::factory
