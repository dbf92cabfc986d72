// A command on several ranks. Rank 0 does everything that is done once (corpus, tokenizer, shards, reports, evals, the gate); the other
// ranks wait for its orders, and train when it says so.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/gate/run_options.hpp"
#include "picochat/train/process_group.hpp"
#include "compute.hpp"

namespace picochat::factory {

using Group = std::shared_ptr<train::ProcessGroup>;

// Joins the ranks that a launcher started; null in a process of its own, which costs nothing. Also settles the options that ranks decide:
// ddp, ddp_world_size, the GPU, and threads when they are left to us. Usage error when the options plan for ranks that nobody started.
Group join_ranks(gate::RunOptions& options, Compute& compute, const std::string& command);

// For commands that train in one process: usage error under a launcher of several ranks.
void refuse_ranks(const std::string& command);

// Rank 0: does `work`, which returns an exit code, and tells the others how it ended.
base::ExitCode lead(const Group& group, const std::function<base::ExitCode()>& work);

// The other ranks: carries out rank 0's orders until it ends. An error with rank 0's exit code when that is not 0.
void follow(base::FileSystem& files, const gate::RunOptions& options, const Compute& compute, const Group& group);

inline bool leads(const Group& group) { return !group || group->rank() == 0; }
inline int64_t ranks(const Group& group) { return group ? group->world_size() : 1; }
void report_phase(const Group& group, const std::string& phase);

}  // namespace picochat::factory
