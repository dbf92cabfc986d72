// `eval fetch`: a published benchmark from the hub, as it is distributed, with where it came from beside it.
#pragma once

#include <optional>
#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"
#include "picochat/hub/settings.hpp"

namespace picochat::tasks {

struct FetchBenchmarkOptions {
  std::string name;                    // "arc-easy", "mmlu", ...
  std::string out_dir = "benchmarks";
  std::optional<std::string> config, split;  // default: those that the benchmark is quoted by
  std::string revision = "main";
  std::optional<std::string> endpoint, token_env;
  bool force = false, json = false;
};
const base::OptionTable<FetchBenchmarkOptions>& fetch_benchmark_options();

// Writes <out-dir>/<name>.<ext> (mmlu: <config>_test and <config>_dev, its worked examples) and <file>.source.json: data set, config,
// split, commit, SHA-256, rows, licence. The file is read as a benchmark before it is published. A file of the same bytes is left
// alone; another one is BadInput without `force`. Errors of the hub are those of hub::Client.
base::CommandOutput fetch_benchmark(base::FileSystem& files, const FetchBenchmarkOptions& options, const hub::Environment& environment);

}  // namespace picochat::tasks
