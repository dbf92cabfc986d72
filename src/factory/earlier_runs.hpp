// What earlier runs on this host say about the one that is planned: how fast its shape trains, and
// whether the host is sound. They are looked for in the run's own folder and in the folders beside it,
// which is where the runbook puts the sanity report and the dry run.
#pragma once

#include <optional>
#include <string>

#include "run_context.hpp"

namespace picochat::factory {

struct MeasuredSpeed {
  double tokens_per_second = 0;  // all ranks together
  std::string source;            // "dry_run" | "sanity"
  std::string where;             // the folder, relative to the run's parent
};

// The median over the later half of the base steps of the newest run of the same shape, batch,
// precision, device and number of ranks that was made on this host.
std::optional<MeasuredSpeed> speed_of_earlier_runs(const gate::RunOptions& options, const Path& run_dir, const std::string& device);

// The newest preh100_sanity.json beside the run, or the one that was named.
std::optional<Path> find_sanity_report(const gate::RunOptions& options, const Path& run_dir);

// What the report says, bound to its bytes and to this host.
gate::SanityFacts sanity_of(const Path& report);

// What `sanity preh100 --capacity-scale` measured on this host: for the preset's own shape and sequences per step.
std::optional<MeasuredSpeed> speed_of_sanity(const gate::RunOptions& options, const Path& run_dir, const std::string& device);

// Names this host: the kernel's machine id, else the host name.
std::string host_identity();

}  // namespace picochat::factory
