// Reads the parts of all files with several threads and gives their rows, as blocks, in the order of
// the plan. Memory is bounded: who is far ahead waits.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "corpus/import/block.hpp"
#include "picochat/base/byte_source.hpp"

namespace picochat::corpus::import {

class OrderedReader {
 public:
  struct Options {
    const Plan* plan = nullptr;
    RowColumns columns;
    Position start;
    int64_t offset_left = 0;   // rows to pass over; whole row groups of it are not even fetched
    int64_t rows_wanted = 0;   // no more are needed
    int jobs = 1;
    bool eager = false;        // opening files costs little: open some ahead
    std::function<std::shared_ptr<const base::ByteSource>(const hub::RepoFile&)> open;
    std::shared_ptr<const RowFile> first;  // of the file at `start`, when it is open already
  };
  explicit OrderedReader(Options options);
  ~OrderedReader();  // stops the threads

  // The next block in order; nullptr at the end of the last file (or after enough rows). Throws what a
  // worker met, once everything before it was given.
  std::shared_ptr<Block> next();
  // Rows that were passed over without being read, up to the first block.
  int64_t rows_passed_over() const { return passed_over_; }
  void stop();

 private:
  struct Part;      // being read, or waiting for it
  struct OpenFile;  // one file of the plan
  void work();
  bool open_one(std::unique_lock<std::mutex>& lock);
  void enqueue_parts(std::unique_lock<std::mutex>& lock);
  void plan_parts(size_t file);
  void read(const std::shared_ptr<Part>& part);
  void give(const std::shared_ptr<Part>& part, std::shared_ptr<Block> block);
  std::shared_ptr<Block> fresh_block();

  Options options_;
  RowRules rules_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<OpenFile> files_;
  size_t next_open_ = 0, next_plan_ = 0, finished_files_ = 0;
  std::deque<std::shared_ptr<Part>> order_;    // not given away completely
  std::deque<std::shared_ptr<Part>> waiting_;  // nobody reads them yet
  int64_t planned_rows_ = 0, offset_left_ = 0;
  std::atomic<int64_t> passed_over_{0};
  size_t buffered_ = 0;
  bool stopped_ = false, enough_ = false;
  std::vector<std::shared_ptr<Block>> spare_;  // used blocks, for their memory
  std::vector<std::jthread> workers_;          // last: they use everything above
};

}  // namespace picochat::corpus::import
