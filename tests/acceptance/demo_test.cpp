// `demo` at a terminal and without one; `paths`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <poll.h>
#include <pty.h>

#include "picochat/base/json.hpp"
#include "program.hpp"

namespace picochat::acceptance {
namespace {

using ::testing::HasSubstr;

// The program at a terminal of its own.
class Terminal {
 public:
  explicit Terminal(const std::vector<std::string>& arguments) {
    child_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (child_ != 0) return;
    std::vector<char*> argv{const_cast<char*>(kProgram)};
    for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(kProgram, argv.data());
    ::_exit(127);
  }
  ~Terminal() {
    if (child_ > 0) ::kill(child_, SIGKILL);
    ::close(terminal_);
  }
  // Reads until `text` was shown after what was asked for before.
  bool shows(const std::string& text, double seconds = 120) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (std::chrono::steady_clock::now() < deadline) {
      if (const size_t at = shown_.find(text, read_); at != std::string::npos) {
        read_ = at + text.size();
        return true;
      }
      pollfd ready{.fd = terminal_, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 100) <= 0) continue;
      char buffer[4096];
      const ssize_t n = ::read(terminal_, buffer, sizeof buffer);
      if (n <= 0) return false;
      shown_.append(buffer, static_cast<size_t>(n));
    }
    return false;
  }
  void types(const std::string& text) { ASSERT_EQ(::write(terminal_, text.data(), text.size()), static_cast<ssize_t>(text.size())); }
  int exit_code() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  const std::string& shown() const { return shown_; }

 private:
  pid_t child_ = 0;
  int terminal_ = -1;
  std::string shown_;
  size_t read_ = 0;
};

int free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(probe, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(probe);
  return ntohs(address.sin_port);
}

TEST(Demo, RunsTheTinyLaneThenOpensPageAndChat) {
  const TemporaryFolder folder;
  const int port = free_port();
  const std::string run = (folder / "runs/pico-demo").string();
  const std::vector<std::string> words{"demo", "--out-dir", run, "--port", std::to_string(port), "--base-steps", "4", "--sft-steps", "2"};
  {
    Terminal terminal(words);
    ASSERT_TRUE(terminal.shows("Ctrl-D ends both")) << terminal.shown();
    ASSERT_TRUE(terminal.shows("> ")) << terminal.shown();
    httplib::Client page("127.0.0.1", port);
    page.set_connection_timeout(60);
    page.set_read_timeout(60);  // a busy machine may be slow
    const auto runs = page.Get("/api/runs");
    ASSERT_TRUE(runs) << httplib::to_string(runs.error()) << "\n" << terminal.shown();
    EXPECT_THAT(runs->body, HasSubstr("pico-demo"));
    terminal.types("What is Picochat?\n");
    ASSERT_TRUE(terminal.shows("\n> ")) << terminal.shown();
    terminal.types("\x03");  // at the prompt: nothing ends
    ASSERT_TRUE(terminal.shows("> ", 10)) << terminal.shown();
    terminal.types("\x04");
    EXPECT_EQ(terminal.exit_code(), 0);
    EXPECT_FALSE(page.Get("/api/runs")) << "the page ends with the chat";
  }
  Program program(folder.path());
  const auto again = program.run(words);  // no terminal: nothing is opened, nothing is trained
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.errors, HasSubstr("has ended before"));
  EXPECT_THAT(again.errors, HasSubstr("picochat chat " + run));
}

TEST(Demo, PathsNameCommandsThatExist) {
  const TemporaryFolder folder;
  Program program(folder.path());
  const auto out = program.run({"paths", "--json"});
  ASSERT_EQ(out.code, 0) << out.errors;
  const auto paths = base::Json::parse(out.output).at("paths");
  ASSERT_EQ(paths.size(), 3u);
  for (const auto& path : paths)
    for (const std::string command : path.at("commands")) {
      std::stringstream words(command);
      std::string name, first, second;
      words >> name >> first >> second;
      std::vector<std::string> help{first};
      if (!second.starts_with("-")) help.push_back(second);
      help.emplace_back("--help");
      const auto shown = program.run(help);
      EXPECT_EQ(shown.code, 0) << command;
      for (std::string word; words >> word;)
        if (word.starts_with("--")) {
          EXPECT_THAT(shown.output, HasSubstr(word)) << command;
        }
    }
}

}  // namespace
}  // namespace picochat::acceptance
