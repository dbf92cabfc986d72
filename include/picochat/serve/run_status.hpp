// `run status`: where a run stands, asked from a second shell. Reads what the run writes, and never writes.
#pragma once

#include <optional>
#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/options.hpp"

namespace picochat::serve {

struct RunStatusOptions {
  std::string run;                       // run directory
  std::optional<double> gpu_hourly_usd;  // of one device; default: what the run was told
  bool json = false;
};
const base::OptionTable<RunStatusOptions>& run_status_options();

// Stage, step, loss, time left in the stage, cost since the run was last started. BadInput when the folder is no run. `now`: seconds since 1970.
base::CommandOutput run_status(const RunStatusOptions& options, double now);

}  // namespace picochat::serve
