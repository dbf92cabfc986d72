// Writes shards of finished lines: digests and writes on threads of its own, then commits in order, many
// at once. A commit syncs the shards and the corpus text, gives the shards their names, and only then
// says so in the journal.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "corpus/import/block.hpp"
#include "corpus/import/journal.hpp"
#include "picochat/base/file_system.hpp"

namespace picochat::corpus::import {

// Lines of a block that follow each other.
struct Slice {
  std::shared_ptr<const Block> block;
  size_t first = 0, end = 0;
};

struct PendingShard {
  int64_t number = 0;
  std::vector<Slice> slices;
  ShardRecord record;        // counts; size and digest are filled in here
  State state;               // after its last document
  std::unique_ptr<base::WritableFile> file;
  Path temporary;
  bool written = false;
};

class ShardSink {
 public:
  // `corpus` is synced before each commit; whoever appends to it calls submit() afterwards.
  ShardSink(base::FileSystem& files, Path documents, Journal& journal, base::WritableFile& corpus);
  ~ShardSink();  // what is not committed is dropped
  ShardSink(const ShardSink&) = delete;
  ShardSink& operator=(const ShardSink&) = delete;

  // Waits while too much is under way; throws what a thread met.
  void submit(std::unique_ptr<PendingShard> shard);
  // All full shards are committed afterwards.
  void drain();
  // Writes and publishes the last, short shard; it has no line in the journal, since an import that
  // goes on writes it anew.
  ShardRecord write_last(PendingShard shard);

 private:
  void write_loop();
  void commit_loop();
  void write(PendingShard& shard);
  void publish(std::vector<std::unique_ptr<PendingShard>> batch);
  void fail();

  base::FileSystem& files_;
  Path documents_;
  Journal& journal_;
  base::WritableFile& corpus_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<PendingShard>> shards_;  // submitted, not yet committed, in order
  size_t next_write_ = 0;                             // index into shards_
  bool draining_ = false, committing_ = false, stopped_ = false;
  std::exception_ptr failure_;
  std::vector<std::jthread> threads_;  // last: they use everything above
};

}  // namespace picochat::corpus::import
