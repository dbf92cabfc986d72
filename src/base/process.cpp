#include "picochat/base/process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "picochat/base/error.hpp"

namespace picochat::base {
namespace {

// Output goes to unnamed files: a child that writes much never waits for a reader.
struct Capture {
  Capture() : file(::tmpfile(), ::fclose) {
    if (!file) throw environment_error({.what = "cannot create a temporary file", .found = std::strerror(errno)});
  }
  int descriptor() const { return ::fileno(file.get()); }
  std::string text() const {
    std::string out;
    char buffer[4096];
    ::rewind(file.get());
    for (size_t n; (n = ::fread(buffer, 1, sizeof buffer, file.get())) > 0;) out.append(buffer, n);
    return out;
  }
  std::unique_ptr<FILE, int (*)(FILE*)> file;
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

ProcessResult run_process(const std::vector<std::string>& command, const std::vector<std::string>& environment, Streams streams) {
  const Capture output, errors;
  std::vector<std::string> variables = environment;
  for (char** entry = environ; *entry; ++entry) variables.emplace_back(*entry);  // the first of two equal names wins
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (streams == Streams::kCapture) {
    posix_spawn_file_actions_adddup2(&actions, output.descriptor(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors.descriptor(), STDERR_FILENO);
  }
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, command.front().c_str(), &actions, nullptr, pointers(command).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed) return {.code = 127, .errors = std::strerror(failed)};
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), .output = output.text(), .errors = errors.text()};
}

}  // namespace picochat::base
