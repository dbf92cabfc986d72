#include "corpus/import/ordered_reader.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "picochat/base/random.hpp"

namespace picochat::corpus::import {
namespace {

constexpr size_t kMostBuffered = 32 << 20;  // of blocks that are not given away
constexpr size_t kPreviewRows = 100;

}  // namespace

struct OrderedReader::Part {
  std::shared_ptr<const RowFile> file;
  Position at;           // file, part in the order of reading, first row wanted
  size_t index = 0;      // of the file's parts
  std::deque<std::shared_ptr<Block>> blocks;
  bool last_of_file = false, done = false;
  std::exception_ptr failure;
};

struct OrderedReader::OpenFile {
  bool begun = false;
  std::shared_ptr<const RowFile> rows;
  std::exception_ptr failure;
};

OrderedReader::OrderedReader(Options options)
    : options_(std::move(options)), rules_(*options_.plan), files_(options_.plan->files.size()), offset_left_(options_.offset_left) {
  next_open_ = next_plan_ = static_cast<size_t>(options_.start.file);
  if (options_.first && next_open_ < files_.size()) {
    files_[next_open_] = {true, options_.first, nullptr};
    ++next_open_;
  }
  for (int i = 0; i < options_.jobs; ++i) workers_.emplace_back([this] { work(); });
}

OrderedReader::~OrderedReader() { stop(); }

void OrderedReader::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  workers_.clear();
}

// Puts the parts of the next file that is open into the order, as long as rows are wanted.
void OrderedReader::plan_parts(size_t file) {
  OpenFile& open = files_[file];
  auto add = [&](size_t index, Position at) {
    auto part = std::make_shared<Part>();
    part->file = open.rows;
    part->at = at;
    part->index = index;
    part->failure = open.failure;
    part->done = open.failure != nullptr;
    order_.push_back(part);
    if (!part->done) waiting_.push_back(part);
  };
  const int64_t number = static_cast<int64_t>(file);
  if (open.failure) {
    add(0, {number, 0, 0});
    enough_ = true;
    return;
  }
  const auto& parts = open.rows->parts();
  std::vector<size_t> sequence(parts.size());
  std::iota(sequence.begin(), sequence.end(), size_t{0});
  if (options_.plan->filters.shuffle_seed)
    base::Random(static_cast<uint64_t>(*options_.plan->filters.shuffle_seed), "import row groups " + options_.plan->files[file].file.path).shuffle(std::span(sequence));
  const bool resumed = number == options_.start.file;
  for (size_t i = resumed ? static_cast<size_t>(options_.start.part) : 0; i < sequence.size() && !enough_; ++i) {
    const FilePart& part = parts[sequence[i]];
    Position at{number, static_cast<int64_t>(i), resumed && static_cast<int64_t>(i) == options_.start.part ? options_.start.row : 0};
    if (part.rows >= 0) {
      const int64_t pass = std::min(offset_left_, part.rows - std::min(part.rows, at.row));
      offset_left_ -= pass;
      passed_over_ += pass;
      at.row += pass;
      if (at.row >= part.rows) continue;
      planned_rows_ += part.rows - at.row;
    }
    add(sequence[i], at);
    enough_ = planned_rows_ >= options_.rows_wanted;
  }
  if (!order_.empty()) order_.back()->last_of_file = true;
  open.rows.reset();  // its parts keep it
}

void OrderedReader::enqueue_parts(std::unique_lock<std::mutex>&) {
  while (next_plan_ < files_.size() && !enough_ && (files_[next_plan_].rows || files_[next_plan_].failure)) plan_parts(next_plan_++);
}

// Opens the next file when that is worth it; false when there is nothing to open now.
bool OrderedReader::open_one(std::unique_lock<std::mutex>& lock) {
  if (enough_ || next_open_ >= files_.size()) return false;
  // One file ahead at first; more once files turn out to be used up.
  const size_t jobs = static_cast<size_t>(options_.jobs);
  const size_t window = options_.eager ? jobs : std::min(jobs, 1 + 2 * finished_files_);
  if (next_open_ >= next_plan_ + window || order_.size() > 4 * jobs) return false;
  const size_t file = next_open_++;
  files_[file].begun = true;
  lock.unlock();
  std::shared_ptr<const RowFile> rows;
  std::exception_ptr failure;
  try {
    const hub::RepoFile& planned = options_.plan->files[file].file;
    rows = RowFile::open(options_.open(planned), file_kind(planned.path), options_.columns);
  } catch (...) {
    failure = std::current_exception();
  }
  lock.lock();
  files_[file].rows = std::move(rows);
  files_[file].failure = failure;
  enqueue_parts(lock);
  changed_.notify_all();
  return true;
}

void OrderedReader::work() {
  std::unique_lock lock(mutex_);
  enqueue_parts(lock);
  while (!stopped_) {
    if (!waiting_.empty()) {
      const std::shared_ptr<Part> part = waiting_.front();
      waiting_.pop_front();
      lock.unlock();
      read(part);
      lock.lock();
      part->done = true;
      part->file.reset();
      changed_.notify_all();
    } else if (!open_one(lock)) {
      const bool nothing_left = enough_ || next_plan_ >= files_.size();
      if (nothing_left) return;
      changed_.wait(lock);
    }
  }
}

std::shared_ptr<Block> OrderedReader::fresh_block() {
  std::lock_guard lock(mutex_);
  // Who consumed a block may still hold it: only those that nobody else has are free.
  for (auto& spare : spare_)
    if (spare.use_count() == 1) {
      auto block = std::move(spare);
      spare = std::move(spare_.back());
      spare_.pop_back();
      return block;
    }
  return std::make_shared<Block>();
}

void OrderedReader::give(const std::shared_ptr<Part>& part, std::shared_ptr<Block> block) {
  std::unique_lock lock(mutex_);
  // The part whose turn it is never waits, so there is always progress.
  changed_.wait(lock, [&] { return stopped_ || buffered_ < kMostBuffered || order_.front() == part; });
  buffered_ += block->bytes();
  part->blocks.push_back(std::move(block));
  changed_.notify_all();
}

void OrderedReader::read(const std::shared_ptr<Part>& part) {
  try {
    BlockBuilder builder(rules_, options_.plan->files[static_cast<size_t>(part->at.file)].file.path);
    const std::unique_ptr<PartReader> reader = part->file->open_part(part->index);
    const bool previews = part->at.file == 0 && part->at.part == 0;
    std::shared_ptr<Block> block;
    int64_t number = 0;
    for (FileRow row; reader->next(row); ++number) {
      if (number < part->at.row) continue;
      if (!block) {
        block = fresh_block();
        builder.begin(*block, {part->at.file, part->at.part, number}, previews && number < static_cast<int64_t>(kPreviewRows));
      }
      builder.add(row);
      if (!builder.full()) continue;
      give(part, std::move(block));
      block.reset();
      std::lock_guard lock(mutex_);
      if (stopped_) return;
    }
    if (block) give(part, std::move(block));
  } catch (...) {
    std::lock_guard lock(mutex_);
    part->failure = std::current_exception();
  }
}

std::shared_ptr<Block> OrderedReader::next() {
  std::unique_lock lock(mutex_);
  for (;;) {
    enqueue_parts(lock);
    if (order_.empty()) {
      if (enough_ || next_plan_ >= files_.size() || stopped_) return nullptr;
    } else {
      Part& part = *order_.front();
      if (!part.blocks.empty()) {
        auto block = std::move(part.blocks.front());
        part.blocks.pop_front();
        buffered_ -= block->bytes();
        if (spare_.size() < 32) spare_.push_back(block);
        changed_.notify_all();
        return block;
      }
      if (part.done || part.failure) {
        if (part.failure) std::rethrow_exception(part.failure);
        finished_files_ += part.last_of_file;
        order_.pop_front();
        changed_.notify_all();
        continue;
      }
    }
    changed_.wait(lock);
  }
}

}  // namespace picochat::corpus::import
