// A command of the program that runs beside the test.
#pragma once

#include "acceptance/program.hpp"

namespace picochat::acceptance {

class Background {
 public:
  // stdout and stderr go to one file.
  Background(const std::vector<std::string>& arguments, std::filesystem::path log, const std::vector<std::string>& environment = {})
      : log_(std::move(log)), child_(start_program(arguments, log_, log_, "", environment)) {}
  ~Background() { stop(SIGKILL); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  pid_t pid() const { return child_; }
  std::string log() const { return read_all(log_); }
  bool running() {
    if (child_ > 0 && ::waitpid(child_, &status_, WNOHANG) == child_) child_ = -1;
    return child_ > 0;
  }
  int wait() {
    if (child_ > 0) ::waitpid(std::exchange(child_, -1), &status_, 0);
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }
  int stop(int signal) {
    if (running()) ::kill(child_, signal);
    return wait();
  }
  // The address that a server said it listens on; empty when it ended first.
  std::string address() {
    while (running()) {
      const std::string text = log();
      const auto begin = text.find("http://");
      if (begin != std::string::npos) return text.substr(begin, text.find_first_of("/ \n", begin + 7) - begin);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return "";
  }

 private:
  const std::filesystem::path log_;
  pid_t child_;
  int status_ = 0;
};

}  // namespace picochat::acceptance
