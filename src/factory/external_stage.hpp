// Outside benchmarks of a run: scored, bound to what the honesty check found of them in the training material.
#pragma once

#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/model/transformer.hpp"
#include "picochat/tasks/benchmark_file.hpp"

namespace picochat::factory {

// "ARC Easy" -> "arc-easy": the name of the benchmark's folder.
std::string benchmark_slug(const std::string& name);

// NAME=PATH each. Usage error for two that share a folder.
std::vector<tasks::NamedBenchmark> parse_benchmarks(const std::vector<std::string>& given);

// Scores the selected checkpoint of `run_dir` on each and writes external_eval/<slug>/; one whose report is about
// these very files already is kept. honesty_report: flagged lines are read from it; null or without the benchmark: not measured.
void score_benchmarks(base::FileSystem& files, const base::Path& run_dir, const std::vector<tasks::NamedBenchmark>& benchmarks, const base::Json& honesty_report, int64_t seed,
                      const model::TransformerOptions& compute);

// external_evals of summary.json, from the reports that lie in the run: {name, input_path, summary, contamination, artifacts}.
base::Json external_summaries(const base::Path& run_dir);

}  // namespace picochat::factory
