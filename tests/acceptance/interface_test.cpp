// What the program tells about itself: the frozen list of commands and flags, completion, the manual.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"
#include "program.hpp"

namespace picochat::acceptance {
namespace {

using base::cat;
using ::testing::Contains;
using ::testing::HasSubstr;

class Interface : public ::testing::Test {
 protected:
  Interface() : program(folder.path()) {}

  // What a script prints; the test fails when the script does.
  std::string shell(const std::string& interpreter, const std::string& text) {
    const auto script = folder.write("script", text);
    const int status = std::system(cat("PATH=", std::filesystem::path(kProgram).parent_path().string(), ":$PATH ", interpreter, " ", script.string(), " > ",
                                       (folder / "out").string(), " 2>&1").c_str());
    EXPECT_EQ(status, 0) << read_all(folder / "out");
    return read_all(folder / "out");
  }
  static bool has(const char* tool) { return std::system(cat("command -v ", tool, " > /dev/null").c_str()) == 0; }

  TemporaryFolder folder;
  Program program;
};

// Each flag with its command before it.
std::vector<std::string> qualified(const std::string& text) {
  std::vector<std::string> lines;
  std::string command;
  for (const auto& line : base::split(text, '\n')) {
    if (!line.starts_with(" ")) command = line;
    lines.push_back(line == command ? line : command + line);
  }
  return lines;
}

TEST_F(Interface, IsTheFrozenOne) {
  const std::string frozen = read_all(std::filesystem::path(kSourceDir) / "tests/acceptance/interface.txt"), now = program.run({"interface"}).output;
  const auto before = qualified(frozen), after = qualified(now);
  std::string change;
  for (const auto& line : before) change += std::count(after.begin(), after.end(), line) ? "" : cat("- ", line, "\n");
  for (const auto& line : after) change += std::count(before.begin(), before.end(), line) ? "" : cat("+ ", line, "\n");
  EXPECT_TRUE(frozen == now) << "commands or flags changed:\n" << change << "If that is meant: build/release/bin/picochat interface > tests/acceptance/interface.txt";
}

TEST_F(Interface, IsDataForPrograms) {
  const auto told = base::Json::parse(program.run({"interface", "--json"}).output);
  for (const auto& command : told.at("commands")) {
    EXPECT_NE(command.at("summary"), "") << command.at("command");
    for (const auto& option : command.at("options")) EXPECT_TRUE(option.contains("hidden") || option.at("help") != "") << command.at("command") << option;
  }
}

// The candidates that bash offers for the last of these words.
constexpr const char* kAsk = R"(
source <(picochat completion bash)
offered() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
  COMPREPLY=()
  _picochat
  echo "${COMPREPLY[*]}"
}
)";

TEST_F(Interface, BashCompletes) {
  shell("bash -n", program.run({"completion", "bash"}).output);
  const auto lines = base::split(shell("bash", cat(kAsk, R"(
offered picochat ru
offered picochat run ve
offered picochat run tiny --devi
offered picochat run tiny --device ''
offered picochat run tiny --device cp
offered picochat run tiny --device = cp
offered picochat run tiny --no-preflight-o
offered picochat run tiny --corpus-input ''
offered picochat launch --nproc-per-node 2 -- picochat run ti
offered picochat completion ''
complete -p picochat
)")), '\n');
  ASSERT_GE(lines.size(), 11u);
  EXPECT_EQ(lines[0], "run");
  EXPECT_EQ(lines[1], "verify");
  EXPECT_EQ(lines[2], "--device");
  EXPECT_THAT(base::split(lines[3], ' '), Contains("cuda"));
  EXPECT_EQ(lines[4], "cpu");
  EXPECT_EQ(lines[5], "cpu");
  EXPECT_EQ(lines[6], "--no-preflight-only");
  EXPECT_EQ(lines[7], "") << "names of files, which bash offers by itself";
  EXPECT_EQ(lines[8], "tiny");
  EXPECT_EQ(lines[9], "bash zsh");
  EXPECT_THAT(lines[10], HasSubstr("_picochat picochat"));
}

TEST_F(Interface, ZshCompletes) {
  const auto script = program.run({"completion", "zsh"});
  EXPECT_EQ(script.code, 0);
  EXPECT_THAT(script.output, HasSubstr("'--device=["));
  if (!has("zsh")) GTEST_SKIP() << "skipped: no zsh here to read the script";
  shell("zsh -n", script.output);
}

TEST_F(Interface, AnUnknownShellIsRefused) {
  const auto outcome = program.run({"completion", "fish"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("one of bash, zsh"));
}

TEST_F(Interface, TheManualHasEveryCommandAndIsGoodTroff) {
  const std::string page = program.run({"man"}).output;
  for (const auto& command : base::Json::parse(program.run({"interface", "--json"}).output).at("commands"))
    EXPECT_THAT(page, HasSubstr(cat(".SS \"picochat ", base::replace_all(command.at("command").get<std::string>(), "-", "\\-"), "\"")));
  EXPECT_THAT(page, HasSubstr("\\-\\-corpus\\-input"));
  if (!has("groff")) GTEST_SKIP() << "skipped: no groff here to set the page";
  folder.write("page.1", page);
  const std::string set = shell("bash", cat("groff -man -Tutf8 -P-c -P-b -P-u -ww ", (folder / "page.1").string()));
  EXPECT_EQ(set.find("warning:"), std::string::npos) << set.substr(0, 400);
  EXPECT_NE(set.find("EXIT STATUS"), std::string::npos) << set.substr(0, 400);
}

}  // namespace
}  // namespace picochat::acceptance
