// The one exception family. An error says what went wrong, where, what was expected against what
// was found, and what to do next; its kind decides the exit code of the program.
#pragma once

#include <stdexcept>
#include <string>

namespace picochat::base {

// The only list of exit codes. 130 and 143 (interrupted by SIGINT/SIGTERM after a checkpoint) are
// 128 + the signal's number.
enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,
  kUsage = 2,
  kBlocked = 3,      // a check or a gate said no
  kBadInput = 4,     // data or files given by the user
  kEnvironment = 5,  // device, disk, network
};

class Error : public std::runtime_error {
 public:
  struct Details {
    std::string what;    // what went wrong, one clause
    std::string where;   // path, path:line, flag, offset; may be empty
    std::string expected;
    std::string found;
    std::string remedy;  // what to do next
  };
  Error(ExitCode code, Details details);

  ExitCode code() const { return code_; }
  const Details& details() const { return details_; }

 private:
  ExitCode code_;
  Details details_;
};

// Makers for the common kinds: throw bad_input({.what = "...", .where = path, .remedy = "..."});
Error bad_input(Error::Details details);
Error usage_error(Error::Details details);
Error environment_error(Error::Details details);
Error blocked(Error::Details details);
Error internal_error(std::string what);

// Thrown at a safe point after SIGINT, SIGTERM or SIGHUP, once what must be saved is saved.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(int signal_number);
  int signal_number() const { return signal_; }

 private:
  int signal_;
};

// Stops a run on a broken invariant of our own; `what` names the invariant.
void require(bool condition, const char* what);

}  // namespace picochat::base
