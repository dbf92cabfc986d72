// `picochat launch`: starts the ranks of a job on this host and watches over them. A rank that ends with an error, is killed or gives no
// sign of life ends the job within half a minute, by name, with its last step and error; the job can start again from its last checkpoint.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::train {

struct LaunchOptions {
  int64_t nproc_per_node = 1, nnodes = 1, node_rank = 0, max_restarts = 0;
  std::optional<std::string> rdzv_endpoint;  // HOST:PORT of node 0, for several nodes
  std::optional<std::string> log_dir;        // rank-N.log; else beside the command's --out-dir
  std::optional<std::string> on_exit;
  std::vector<std::string> command;          // "run", "tiny", ...
};
const base::OptionTable<LaunchOptions>& launch_options();

// Returns the exit code of the job: 0, that of the rank that failed first, 5 for a rank that was killed or hung, 128 + the number of the
// signal that ended it after a checkpoint.
int launch(base::FileSystem& files, const LaunchOptions& options);

// --on-exit: runs a shell command when it goes out of scope, with PICOCHAT_EXIT_CODE in its environment; a failure of it is a warning. On a
// rank that `picochat launch` started it is a usage error to have one: a rank may be killed, the launcher goes on.
class OnExit {
 public:
  OnExit(std::optional<std::string> command, const std::string& of);
  ~OnExit();
  OnExit(const OnExit&) = delete;
  OnExit& operator=(const OnExit&) = delete;
  void ends_with(int code) const { code_ = code; }  // else by the exception that is on its way

 private:
  std::optional<std::string> command_;
  mutable int code_ = 1;
};

}  // namespace picochat::train
