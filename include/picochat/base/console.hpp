// What a person sees. Human lines go to stderr: a live bar on a terminal, plain flushed lines when
// piped; results go to stdout. A broken pipe silences the console and never ends the program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace picochat::base {

// Process-wide set-up: SIGPIPE ignored, colour off under NO_COLOR or when stderr is not a terminal.
void start_console();

void say(std::string_view line);      // progress and news, stderr
void warn(std::string_view line);     // "warning: ..." on stderr
void result(std::string_view line);   // the command's answer, stdout, newline added
void write_result(std::string_view bytes);  // stdout as is
bool stderr_is_terminal();

// A counter for long work: redrawn in place on a terminal, a line every few seconds otherwise.
class Progress {
 public:
  Progress(std::string label, uint64_t total, std::string unit);  // total 0: unknown
  ~Progress();  // clears the live line
  void update(uint64_t done);
  void finish();  // prints the final line with time and rate

 private:
  void draw(bool final);
  std::string label_, unit_;
  uint64_t total_, done_ = 0;
  double started_, drawn_;
};

}  // namespace picochat::base
