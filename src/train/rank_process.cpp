#include "rank_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::train {
namespace {

constexpr int64_t kTail = 16384;  // bytes of a log that are searched for an error

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

void write_all(int to, const char* bytes, ssize_t count) {
  while (count > 0) {
    const ssize_t written = ::write(to, bytes, static_cast<size_t>(count));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // a console that is gone silences itself, as everywhere
    bytes += written;
    count -= written;
  }
}

}  // namespace

RankProcess::RankProcess(int rank, const std::vector<std::string>& command, const std::vector<std::string>& environment, base::Path log, bool echo)
    : rank_(rank), log_(std::move(log)) {
  log_file_ = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_file_ < 0) throw base::environment_error({.what = "cannot write a rank's log", .where = log_.string(), .found = std::strerror(errno), .remedy = "choose another --log-dir"});
  int outputs[2] = {log_file_, log_file_};
  if (echo)
    for (int i : {0, 1}) {
      int ends[2];
      if (::pipe2(ends, O_CLOEXEC)) throw base::environment_error({.what = "cannot open a pipe", .found = std::strerror(errno)});
      ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
      streams_.push_back({.from = ends[0], .to = i == 0 ? STDOUT_FILENO : STDERR_FILENO});
      outputs[i] = ends[1];
    }
  // All memory is taken before the fork: the store's threads may hold the allocator's lock at that moment.
  std::vector<std::string> words{"picochat"}, variables = environment;
  words.insert(words.end(), command.begin(), command.end());
  for (char** entry = environ; *entry; ++entry) variables.emplace_back(*entry);  // the first of two equal names wins
  auto argv = pointers(words), envp = pointers(variables);
  const pid_t parent = ::getpid();
  child_ = ::fork();
  if (child_ < 0) throw base::environment_error({.what = "cannot start a process", .found = std::strerror(errno)});
  if (child_ == 0) {
    ::setpgid(0, 0);  // Ctrl-C reaches the ranks through us, once
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(5);
    ::dup2(outputs[0], STDOUT_FILENO);
    ::dup2(outputs[1], STDERR_FILENO);
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, STDIN_FILENO);
    ::execve("/proc/self/exe", argv.data(), envp.data());
    ::_exit(127);
  }
  if (echo)
    for (int end : outputs) ::close(end);
}

RankProcess::~RankProcess() {
  if (running()) {
    send(SIGKILL);
    ::waitpid(child_, &status_, 0);
  }
  copy_output();
  for (const auto& stream : streams_) ::close(stream.from);
  ::close(log_file_);
}

bool RankProcess::running() {
  if (!ended_ && ::waitpid(child_, &status_, WNOHANG) == child_) ended_ = true;
  return !ended_;
}

int RankProcess::code() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_); }
int RankProcess::killed_by() const { return WIFSIGNALED(status_) ? WTERMSIG(status_) : 0; }

void RankProcess::send(int signal) {
  if (running()) ::kill(child_, signal);
}

void RankProcess::copy_output() {
  char buffer[8192];
  for (const auto& stream : streams_)
    for (ssize_t n; (n = ::read(stream.from, buffer, sizeof buffer)) > 0;) {
      write_all(stream.to, buffer, n);
      write_all(log_file_, buffer, n);
    }
}

std::string RankProcess::last_error() const {
  std::string text = base::read_file(log_);
  if (static_cast<int64_t>(text.size()) > kTail) text = text.substr(text.size() - kTail);
  const auto error = text.rfind("error: ");
  if (error == std::string::npos) return "";
  const auto lines = base::split(base::trim(text.substr(error + 7)), '\n');
  std::string out = lines.front();
  for (size_t i = 1; i < lines.size() && i < 5 && lines[i].starts_with("  "); ++i) out += base::cat("\n           ", lines[i]);
  return out;
}

}  // namespace picochat::train
