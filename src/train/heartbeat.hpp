// A rank's sign of life. A thread of its own tells the store every second that the process runs, and looks whether the others do.
// Rank 0 looks at everyone, everyone looks at rank 0: a process that is stopped or gone ends the job in any launcher.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "picochat/train/process_group.hpp"

namespace picochat::train {

inline constexpr double kBeatSeconds = 1;
inline constexpr double kSilentSeconds = 20;    // of a rank before the others end; `picochat launch` looks more closely
inline constexpr const char* kLostPeer = "lost the connection to another rank";

// "beat/<attempt>/<rank>" holds {"beat": 17, "step": 120, "phase": "base", "left": false}.
std::string beat_key(const std::string& attempt, int rank);

class Heartbeat {
 public:
  Heartbeat(std::shared_ptr<JobStore> store, const RankPlace& place);
  ~Heartbeat();
  void report(int64_t step, const std::string& phase, bool now);

 private:
  void publish();
  void run();
  [[noreturn]] void give_up(const std::string& what);

  const std::shared_ptr<JobStore> store_;
  const RankPlace place_;
  std::mutex mutex_;  // of all below
  std::condition_variable stopping_;
  bool stop_ = false;
  int64_t beat_ = 0, step_ = 0;
  std::string phase_ = "start";
  std::thread thread_;
};

}  // namespace picochat::train
