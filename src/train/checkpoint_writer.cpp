#include "checkpoint_writer.hpp"

#include <memory>
#include <utility>

#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::train {

using base::cat;
using base::fixed;

JobThread::~JobThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void JobThread::start(std::function<void()> job) {
  check();
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }
  changed_.notify_all();
}

void JobThread::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return jobs_.empty() && !running_; });
  lock.unlock();
  check();
}

void JobThread::check() {
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void JobThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
    if (stop_) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    running_ = true;
    lock.unlock();
    std::exception_ptr failure;
    try {
      job();
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    running_ = false;
    if (failure && !failure_) {
      failure_ = failure;
      jobs_.clear();  // what was to follow may rest on it
    }
    changed_.notify_all();
  }
}

CheckpointWriter::CheckpointWriter(base::FileSystem& files, std::function<void(const base::Path&)> published) : files_(files), published_(std::move(published)) {}

at::Tensor CheckpointWriter::staged(Copies& copies, const std::string& name, const at::Tensor& values) {
  at::Tensor& copy = copies.tensors[name];
  if (!copy.defined() || copy.numel() != values.numel()) copy = model::allocate_flat(values.numel());
  copy.copy_(values);
  return copy;
}

double CheckpointWriter::save(const std::string& kind, CheckpointSeries& series, int64_t step, CheckpointContent content, int64_t keep, std::function<void()> after) {
  const double begun = base::monotonic_seconds();
  check();
  Copies* copies = nullptr;
  {
    std::unique_lock lock(mutex_);
    copies = &copies_[kind];
    idle_.wait(lock, [&] { return !copies->busy; });
    copies->busy = true;
  }
  try {
    check();  // the save before this one may have failed just now
    content.parameters = staged(*copies, "parameters", content.parameters);
    for (auto& [name, values] : content.state) values = staged(*copies, name, values);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    copies->busy = false;
    throw;
  }
  // The copies are free once the job is gone: done, failed, or dropped because one before it failed.
  const std::shared_ptr<void> release(copies, [this](Copies* used) {
    {
      const std::lock_guard lock(mutex_);
      used->busy = false;
    }
    idle_.notify_all();
  });
  writing_.start([this, release, &series, step, keep, content = std::move(content), after = std::move(after)] {
    const double started = base::monotonic_seconds();
    const base::Path path = series.path(step);
    save_checkpoint(files_, path, content);
    base::verify_artifact(path, kCheckpointKind);
    base::Path in_use;
    {
      const std::lock_guard lock(mutex_);
      const double seconds = base::monotonic_seconds() - started;
      wrote_ += seconds;
      longest_write_ = std::max(longest_write_, seconds);
      in_use = in_use_;
    }
    const auto present = series.steps();
    for (size_t i = 0; keep > 0 && i + static_cast<size_t>(keep) < present.size(); ++i)
      if (series.path(present[i]) != in_use) series.remove(present[i]);
    if (after) after();
    if (!published_) return;
    publishing_.start([this, path] {
      {
        const std::lock_guard lock(mutex_);
        in_use_ = path;
      }
      if (std::filesystem::exists(path)) published_(path);  // else it was replaced before its turn came
      const std::lock_guard lock(mutex_);
      in_use_.clear();
    });
  });
  const double seconds = base::monotonic_seconds() - begun;
  const std::lock_guard lock(mutex_);
  ++saves_;
  stalled_ += seconds;
  longest_ = std::max(longest_, seconds);
  return seconds;
}

void CheckpointWriter::finish() {
  writing_.finish();
  publishing_.finish();
}

base::Json CheckpointWriter::timing() const {
  const std::lock_guard lock(mutex_);
  return {{"checkpoints", saves_}, {"stall_seconds", stalled_}, {"longest_stall_seconds", longest_}, {"write_seconds", wrote_}};
}

double CheckpointWriter::longest_write() const {
  const std::lock_guard lock(mutex_);
  return longest_write_;
}

std::string CheckpointWriter::summary() const {
  const std::lock_guard lock(mutex_);
  if (saves_ == 0) return "";
  const auto count = static_cast<double>(saves_);
  return cat(saves_, " checkpoints; for each the loop waited ", fixed(1000 * stalled_ / count, 1), " ms (at most ", fixed(1000 * longest_, 1), " ms), writing and verifying took ",
             base::human_seconds(wrote_ / count), " beside it");
}

}  // namespace picochat::train
