#include "picochat/base/console.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

#include "picochat/base/clock.hpp"
#include "picochat/base/text.hpp"

namespace picochat::base {
namespace {

// One writer for both streams; after EPIPE a stream stays silent (a dying `tee` must not end a run).
class Stream {
 public:
  explicit Stream(int descriptor) : descriptor_(descriptor) {}
  void write(std::string_view bytes) {
    std::lock_guard lock(mutex_);
    while (!broken_ && !bytes.empty()) {
      ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) broken_ = true;
      else bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

 private:
  int descriptor_;
  bool broken_ = false;
  std::mutex mutex_;
};

Stream& out() {
  static Stream stream(STDOUT_FILENO);
  return stream;
}
Stream& err() {
  static Stream stream(STDERR_FILENO);
  return stream;
}

std::atomic<bool> live_line{false};
constexpr std::string_view kEraseLine = "\r\x1b[K";

void line_to_stderr(std::string_view text) {
  std::string line;
  if (live_line.exchange(false)) line += kEraseLine;
  line.append(text).push_back('\n');
  err().write(line);
}

}  // namespace

void start_console() {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is then an error of the write, like a full disk
}

bool stderr_is_terminal() {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  return terminal;
}

void say(std::string_view line) { line_to_stderr(line); }
void warn(std::string_view line) { line_to_stderr(cat("warning: ", line)); }
void result(std::string_view line) { out().write(cat(line, "\n")); }
void write_result(std::string_view bytes) { out().write(bytes); }

Progress::Progress(std::string label, uint64_t total, std::string unit)
    : label_(std::move(label)), unit_(std::move(unit)), total_(total), started_(monotonic_seconds()), drawn_(started_) {}

Progress::~Progress() {
  if (live_line.exchange(false)) err().write(kEraseLine);
}

void Progress::update(uint64_t done) {
  done_ = done;
  const double interval = stderr_is_terminal() ? 0.1 : 10;
  if (monotonic_seconds() - drawn_ >= interval) draw(false);
}

void Progress::finish() { draw(true); }

void Progress::draw(bool final) {
  const double now = monotonic_seconds(), elapsed = now - started_;
  drawn_ = now;
  const bool bytes = unit_ == "B";
  auto amount = [&](double value) { return bytes ? human_bytes(static_cast<uint64_t>(value)) : cat(short_count(value), " ", unit_); };
  std::string text = cat(label_, ": ", amount(static_cast<double>(done_)));
  if (total_ && !final) {
    double share = static_cast<double>(done_) / static_cast<double>(total_);
    text += cat(" of ", amount(static_cast<double>(total_)), " (", fixed(100 * share, 0), "%)");
    if (done_ > 0 && share < 1) text += cat(", ", human_seconds(elapsed / share - elapsed), " left");
  }
  if (elapsed > 0.05) text += cat(", ", amount(static_cast<double>(done_) / elapsed), "/s");
  if (final) {
    line_to_stderr(cat(text, ", ", human_seconds(elapsed)));
  } else if (stderr_is_terminal()) {
    err().write(cat(kEraseLine, text));
    live_line = true;
  } else {
    line_to_stderr(text);
  }
}

}  // namespace picochat::base
