// Runs the built program as a user does: in a process of its own, killed when the test says so.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/project.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::acceptance {

using picochat::test::TemporaryFolder;

inline std::string read_all(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The program in a process of its own. `out` and `err` may be one file; environment: "NAME=value" added to ours.
inline pid_t start_program(const std::vector<std::string>& arguments, const std::filesystem::path& out, const std::filesystem::path& err, const std::string& threads = "",
                           const std::vector<std::string>& environment = {}) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  auto redirect = [](const std::filesystem::path& path, int descriptor) { ::dup2(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), descriptor); };
  redirect(out, STDOUT_FILENO);
  if (err == out) ::dup2(STDOUT_FILENO, STDERR_FILENO);
  else redirect(err, STDERR_FILENO);
  if (!threads.empty()) ::setenv("OMP_NUM_THREADS", threads.c_str(), 1);
  for (const auto& variable : environment) ::putenv(const_cast<char*>(variable.c_str()));
  std::vector<char*> argv{const_cast<char*>(kProgram)};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(kProgram, argv.data());
  ::_exit(127);
}

struct Outcome {
  int code = -1;         // exit code, or 128 + signal
  bool killed = false;   // by the test
  std::string output, errors;
};

class Program {
 public:
  // Output goes to files in `scratch`.
  explicit Program(std::filesystem::path scratch) : scratch_(std::move(scratch)) {}

  // kill_after < 0: to its end. Otherwise `signal` is sent after that many seconds.
  Outcome run(const std::vector<std::string>& arguments, double kill_after = -1, int signal = SIGKILL, const std::string& threads = "") {
    if (kill_after < 0) return run_until(arguments, nullptr, signal, threads);
    const auto started = std::chrono::steady_clock::now();
    return run_until(arguments, [=] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count() >= kill_after; }, signal, threads);
  }
  // `signal` is sent once `when` says so; it is asked every millisecond. Empty: never.
  Outcome run_until(const std::vector<std::string>& arguments, const std::function<bool()>& when, int signal = SIGKILL, const std::string& threads = "", const std::vector<std::string>& environment = {}) {
    const auto out = scratch_ / "stdout.txt", err = scratch_ / "stderr.txt";
    const pid_t child = start_program(arguments, out, err, threads, environment);
    Outcome outcome;
    int status = 0;
    while (::waitpid(child, &status, when ? WNOHANG : 0) == 0) {
      if (!outcome.killed && when()) {
        ::kill(child, signal);
        outcome.killed = true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.output = read_all(out);
    outcome.errors = read_all(err);
    return outcome;
  }

 private:
  std::filesystem::path scratch_;
};

}  // namespace picochat::acceptance
