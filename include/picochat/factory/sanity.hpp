// `sanity preh100`: is this host sound, before money is spent on it? Each check measures something, is isolated from the others, and has a rule
// that it can fail (docs/sanity.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::factory {

struct SanityOptions {
  std::string out_dir = "runs/preh100-sanity";
  std::string device = "auto", precision = "auto", matmul_precision = "default", attn_backend = "auto";
  bool include_compile = false;
  std::optional<std::string> capacity_scale;     // a preset
  std::optional<int64_t> capacity_batch_size;    // rows of a micro-batch
  double capacity_min_free_fraction = 0.10;
  double gpu_hourly_usd = 0;
  std::vector<std::string> only;  // names of checks; empty: all
  int64_t threads = 0;
  bool json = false;
};
const base::OptionTable<SanityOptions>& sanity_options();

// Writes <out-dir>/preh100_sanity.json and .md; scratch lies in <out-dir>/work and is removed. The JSON's status is "passed", "failed", or with `only` "partial"
// instead of "passed".
// An explicit --device cuda that cannot be used is an environment error.
base::CommandOutput run_sanity(base::FileSystem& files, const SanityOptions& options);

}  // namespace picochat::factory
