// One rank as a child process: how it is started, what it writes, how it ended.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "picochat/base/file_system.hpp"

namespace picochat::train {

class RankProcess {
 public:
  // Runs this very program. Its output goes to `log`; with `echo` also to where ours goes.
  RankProcess(int rank, const std::vector<std::string>& command, const std::vector<std::string>& environment, base::Path log, bool echo);
  ~RankProcess();
  RankProcess(const RankProcess&) = delete;
  RankProcess& operator=(const RankProcess&) = delete;

  int rank() const { return rank_; }
  pid_t pid() const { return child_; }
  const base::Path& log() const { return log_; }
  bool running();                 // reaps it when it has ended
  int code() const;               // once it has ended: exit code, or 128 + signal
  int killed_by() const;          // the signal; 0: it exited
  void send(int signal);
  void copy_output();             // what it has written since; does not wait
  std::string last_error() const; // the last one in its log; empty: none

 private:
  struct Stream {
    int from = -1, to = -1;
  };
  int rank_;
  base::Path log_;
  pid_t child_ = -1;
  int status_ = 0, log_file_ = -1;
  bool ended_ = false;
  std::vector<Stream> streams_;
};

}  // namespace picochat::train
