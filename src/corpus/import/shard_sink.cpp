#include "corpus/import/shard_sink.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "picochat/base/text.hpp"
#include "picochat/base/threads.hpp"

namespace picochat::corpus::import {
namespace {

constexpr size_t kMostUnwritten = 3;
constexpr size_t kMostUncommitted = 400;     // files that stay open until the next commit
// Little is lost early in an import, and little time goes to syncing later.
constexpr auto kFirstCommit = std::chrono::milliseconds(20), kCommitEvery = std::chrono::milliseconds(2000);
constexpr size_t kPiece = 256 << 10;         // digested and written while it is in the cache

}  // namespace

ShardSink::ShardSink(base::FileSystem& files, Path documents, Journal& journal, base::WritableFile& corpus)
    : files_(files), documents_(std::move(documents)), journal_(journal), corpus_(corpus) {
  const int writers = std::clamp(base::available_cores() / 2, 1, 4);
  for (int i = 0; i < writers; ++i) threads_.emplace_back([this] { write_loop(); });
  threads_.emplace_back([this] { commit_loop(); });
}

ShardSink::~ShardSink() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  threads_.clear();
  std::error_code ignored;
  for (const auto& shard : shards_)
    if (!shard->temporary.empty()) std::filesystem::remove(shard->temporary, ignored);
}

void ShardSink::submit(std::unique_ptr<PendingShard> shard) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || (shards_.size() - next_write_ < kMostUnwritten && shards_.size() < kMostUncommitted); });
  if (failure_) std::rethrow_exception(failure_);
  shards_.push_back(std::move(shard));
  changed_.notify_all();
}

void ShardSink::drain() {
  std::unique_lock lock(mutex_);
  draining_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return failure_ || (shards_.empty() && !committing_); });
  draining_ = false;
  if (failure_) std::rethrow_exception(failure_);
}

void ShardSink::write(PendingShard& shard) {
  shard.record.file = shard_file_name(shard.number);
  shard.temporary = documents_ / base::cat(".tmp-", shard.record.file, "-", static_cast<int>(::getpid()));
  shard.file = files_.create(shard.temporary);
  base::Sha256 digest;
  for (const auto& slice : shard.slices) {
    std::string_view bytes = slice.block->lines.view(slice.first, slice.end);
    shard.record.bytes += bytes.size();
    for (; !bytes.empty(); bytes.remove_prefix(std::min(kPiece, bytes.size()))) {
      digest.update(bytes.substr(0, kPiece));
      shard.file->append(bytes.substr(0, kPiece));
    }
  }
  shard.slices.clear();
  shard.record.sha256 = digest.finish();
}

void ShardSink::write_loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stopped_ || failure_ || next_write_ < shards_.size(); });
    if (stopped_ || failure_) return;
    PendingShard& shard = *shards_[next_write_++];
    lock.unlock();
    try {
      write(shard);
    } catch (...) {
      fail();
      return;
    }
    lock.lock();
    shard.written = true;
    changed_.notify_all();
  }
}

void ShardSink::fail() {
  std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::current_exception();
  changed_.notify_all();
}

void ShardSink::commit_loop() {
  std::unique_lock lock(mutex_);
  auto last = std::chrono::steady_clock::now();
  auto pause = kFirstCommit;
  for (;;) {
    changed_.wait_until(lock, last + pause, [&] {
      const bool ready = !shards_.empty() && shards_.front()->written;
      return stopped_ || failure_ || (ready && (draining_ || shards_.size() >= kMostUncommitted));
    });
    if (stopped_ || failure_) return;
    last = std::chrono::steady_clock::now();
    std::vector<std::unique_ptr<PendingShard>> batch;
    while (!shards_.empty() && shards_.front()->written) {
      batch.push_back(std::move(shards_.front()));
      shards_.pop_front();
      --next_write_;
    }
    if (batch.empty()) continue;
    pause = std::min(2 * pause, kCommitEvery);
    committing_ = true;
    lock.unlock();
    try {
      publish(std::move(batch));
    } catch (...) {
      fail();
      return;
    }
    lock.lock();
    committing_ = false;
    changed_.notify_all();
  }
}

// The order matters: bytes, names, folder, and only then the journal, which makes them count.
void ShardSink::publish(std::vector<std::unique_ptr<PendingShard>> batch) {
  std::vector<ShardRecord> records;
  for (auto& shard : batch) {
    shard->file->sync();
    shard->file->close();
  }
  corpus_.sync();
  for (auto& shard : batch) {
    // Under this name there can only be what an interrupted try, or a shorter import, left.
    files_.rename_replacing(shard->temporary, documents_ / shard->record.file);
    records.push_back(shard->record);
  }
  files_.sync_directory(documents_);
  journal_.add_shards(records, batch.back()->state);
}

ShardRecord ShardSink::write_last(PendingShard shard) {
  write(shard);
  shard.file->sync();
  shard.file->close();
  files_.rename_replacing(shard.temporary, documents_ / shard.record.file);
  files_.sync_directory(documents_);
  return shard.record;
}

}  // namespace picochat::corpus::import
