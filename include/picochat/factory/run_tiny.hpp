// `run tiny`: text in, a trained, evaluated and judged model out. The stages, their cache keys and
// the order in which they stand; each stage's work is done by the room that owns it.
#pragma once

#include <string>

#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/gate/run_options.hpp"

namespace picochat::factory {

struct RunOutcome {
  base::ExitCode code = base::ExitCode::kDone;
  std::string status;        // the gate's verdict, or preflight's with --preflight-only; empty on a rank that is not rank 0
  base::Path report;         // what to read next
  base::Json json;           // what --json prints
};

// Runs, or goes on with, the run in resolved.options.out_dir. `command` is recorded so that the run
// can be repeated. Throws base::Interrupted after saving on a signal.
RunOutcome run_tiny(base::FileSystem& files, const gate::ResolvedRunOptions& resolved, const std::string& command);

}  // namespace picochat::factory
