// Checkpoints off the critical path: the loop copies what is to be saved and goes on; a thread writes it, reads it back and verifies it, and
// only then lets older ones go.
//
// One copy of each kind is held ("best": weights; "resume": weights and optimizer state), taken on the first save of that kind. A save waits
// while the one before it of its kind is still being written, and for nothing else. What a save left undone is thrown by the next call.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "picochat/base/json.hpp"
#include "picochat/train/checkpoint.hpp"

namespace picochat::train {

// Jobs one after the other, on a thread that is started with the first.
class JobThread {
 public:
  ~JobThread();                         // waits for the job that runs; jobs that have not begun are dropped
  void start(std::function<void()> job);
  void finish();                        // waits for all; throws what the first failed one threw, once
  void check();                         // throws it without waiting

 private:
  void run();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool running_ = false, stop_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

class CheckpointWriter {
 public:
  // published: called after a checkpoint was verified, on a further thread that may be slow; empty: nobody asks.
  CheckpointWriter(base::FileSystem& files, std::function<void(const base::Path&)> published);

  // Saves `content` as step `step` of `series`. keep: after it was verified, older ones go until so many are left; 0: all stay. `after` runs
  // then. Returns the seconds that the caller waited.
  double save(const std::string& kind, CheckpointSeries& series, int64_t step, CheckpointContent content, int64_t keep, std::function<void()> after = {});
  void finish();  // until all is written; throws what went wrong
  void check() { writing_.check(); }
  base::Json timing() const;      // {"checkpoints", "stall_seconds", "longest_stall_seconds", "write_seconds"}
  double longest_write() const;   // seconds, of one checkpoint
  std::string summary() const;    // for the console; empty: nothing was saved

 private:
  struct Copies {
    std::map<std::string, at::Tensor> tensors;
    bool busy = false;
  };
  at::Tensor staged(Copies& copies, const std::string& name, const at::Tensor& values);

  base::FileSystem& files_;
  std::function<void(const base::Path&)> published_;
  mutable std::mutex mutex_;  // of all below
  std::condition_variable idle_;
  std::map<std::string, Copies> copies_;
  int64_t saves_ = 0;
  double stalled_ = 0, longest_ = 0, wrote_ = 0, longest_write_ = 0;
  base::Path in_use_;  // being copied elsewhere: not to be deleted
  JobThread publishing_, writing_;  // the last one ends first
};

}  // namespace picochat::train
