#include "honesty/corpus_pass.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "picochat/base/interrupt.hpp"
#include "picochat/base/threads.hpp"
#include "picochat/tasks/word_scan.hpp"

namespace picochat::honesty {
namespace {

// A place at or before `at` where no word is cut, or no character where words have no bounds.
size_t cut_before(std::string_view text, size_t at, size_t lowest) {
  constexpr size_t kFarthest = 4096;
  const size_t low = std::max(lowest, at - std::min(at, kFarthest));
  for (size_t i = at; i > low; --i)
    if (tasks::word_scan::is_separator(text[i - 1])) return i;
  while (at > lowest && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

struct Task {
  OrderedPass::Block block;
  std::shared_ptr<void> found;
};

// Blocks on their way: read, being searched, waiting for their turn.
class Line {
 public:
  explicit Line(size_t capacity) : capacity_(capacity) {}

  bool put(Task task) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failed_ || on_their_way_ < capacity_; });
    if (failed_) return false;
    waiting_.emplace(next_number_++, std::move(task));
    ++on_their_way_;
    changed_.notify_all();
    return true;
  }
  void end() {
    std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  bool take(size_t& number, Task& task) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return failed_ || ended_ || !waiting_.empty(); });
    if (failed_ || waiting_.empty()) return false;
    auto first = waiting_.extract(waiting_.begin());
    number = first.key();
    task = std::move(first.mapped());
    return true;
  }
  // The worker that completes the next block in order delivers it and what waits behind it.
  template <typename Deliver>
  void complete(size_t number, Task task, const Deliver& deliver) {
    std::unique_lock lock(mutex_);
    done_.emplace(number, std::move(task));
    if (delivering_) return;
    delivering_ = true;
    while (!failed_ && !done_.empty() && done_.begin()->first == next_delivered_) {
      auto first = done_.extract(done_.begin());
      lock.unlock();
      try {
        deliver(first.mapped());
      } catch (...) {
        fail(std::current_exception());
      }
      lock.lock();
      ++next_delivered_;
      --on_their_way_;
      changed_.notify_all();
    }
    delivering_ = false;
  }
  void fail(std::exception_ptr error) {
    std::lock_guard lock(mutex_);
    if (!failed_) failed_ = std::move(error);
    changed_.notify_all();
  }
  std::exception_ptr failure() const { return failed_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<size_t, Task> waiting_, done_;
  size_t capacity_, on_their_way_ = 0, next_number_ = 0, next_delivered_ = 0;
  bool ended_ = false, delivering_ = false;
  std::exception_ptr failed_;
};

// Cuts the stream into blocks.
class Cutter {
 public:
  Cutter(const PassLimits& limits, std::function<bool(OrderedPass::Block)> give) : limits_(limits), give_(std::move(give)) {}

  bool add(const CorpusDocument& document) {
    ++tally.documents;
    tally.bytes += static_cast<int64_t>(document.text.size());
    if (document.text.size() > limits_.piece_bytes) return flush() && add_long(document);
    arena_.append(document.text).append(document.id).append(document.file);
    lengths_.push_back({document.text.size(), document.id.size(), document.file.size()});
    return arena_.size() < limits_.block_bytes || flush();
  }
  bool flush() {
    if (lengths_.empty()) return true;
    OrderedPass::Block block;
    block.own = std::make_shared<const std::string>(std::move(arena_));
    std::string_view rest = *block.own;
    auto cut = [&](size_t length) {
      const std::string_view part = rest.substr(0, length);
      rest.remove_prefix(length);
      return part;
    };
    for (const auto& [text, id, file] : lengths_) {
      Piece piece;
      piece.text = cut(text);
      piece.id = cut(id);
      piece.file = cut(file);
      piece.end = text;
      block.pieces.push_back(piece);
    }
    arena_.clear();
    arena_.reserve(limits_.block_bytes + (64 << 10));
    lengths_.clear();
    return give_(std::move(block));
  }

  PassTally tally;

 private:
  bool add_long(const CorpusDocument& document) {
    std::string own;
    own.append(document.text).append(document.id).append(document.file);
    const auto shared = std::make_shared<const std::string>(std::move(own));
    const std::string_view all = *shared, text = all.substr(0, document.text.size());
    for (size_t begin = 0; begin < text.size();) {
      Piece piece;
      piece.text = text;
      piece.id = all.substr(text.size(), document.id.size());
      piece.file = all.substr(text.size() + document.id.size());
      piece.begin = begin;
      const size_t end = begin + limits_.piece_bytes + limits_.overlap;
      piece.last = end >= text.size();
      piece.end = piece.last ? text.size() : cut_before(text, end, begin + limits_.piece_bytes);
      if (!give_({.pieces = {piece}, .own = shared})) return false;
      if (piece.last) return true;
      begin = cut_before(text, begin + limits_.piece_bytes, begin + limits_.piece_bytes / 2);
    }
    return true;
  }

  PassLimits limits_;
  std::function<bool(OrderedPass::Block)> give_;
  std::string arena_;
  std::vector<std::array<size_t, 3>> lengths_;
};

}  // namespace

OrderedPass::OrderedPass(const CorpusStream& stream, const PassLimits& limits, int threads)
    : stream_(stream), limits_(limits), workers_(static_cast<size_t>(threads > 0 ? threads : base::available_cores())) {}

PassTally OrderedPass::run(const std::function<std::shared_ptr<void>()>& make, const std::function<void(Block&, void*, size_t)>& work,
                           const std::function<void(Block&, void*)>& deliver) {
  Line line(4 * workers_ + 2);
  Cutter cutter(limits_, [&](Block block) { return line.put({std::move(block), make()}); });
  {
    std::vector<std::jthread> threads;
    for (size_t worker = 0; worker < workers_; ++worker) {
      threads.emplace_back([&, worker] {
        try {
          size_t number = 0;
          Task task;
          while (line.take(number, task)) {
            work(task.block, task.found.get(), worker);
            line.complete(number, std::move(task), [&](Task& done) { deliver(done.block, done.found.get()); });
          }
        } catch (...) {
          line.fail(std::current_exception());
        }
      });
    }
    try {
      stream_([&](const CorpusDocument& document) {
        base::throw_if_interrupted();
        return cutter.add(document);
      });
      cutter.flush();
      line.end();
    } catch (...) {
      line.fail(std::current_exception());
    }
  }
  if (line.failure()) std::rethrow_exception(line.failure());
  return cutter.tally;
}

}  // namespace picochat::honesty
