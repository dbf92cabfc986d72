// `run status` from a second shell, while a run trains and after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/json.hpp"
#include "program.hpp"

namespace picochat::acceptance {
namespace {

using ::testing::HasSubstr;

TEST(RunStatus, TellsWhereARunStands) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "asking");
  Program program(folder / "asking");
  const std::string run = (folder / "run").string();
  const auto ask = [&](std::vector<std::string> more = {}) {
    std::vector<std::string> words{"run", "status", run};
    words.insert(words.end(), more.begin(), more.end());
    return program.run(words);
  };
  EXPECT_EQ(ask().code, 4) << "there is no run yet";

  const std::vector<std::string> words{"run", "tiny", "--scale", "tiny-cpu", "--corpus-input", std::string(picochat::kSourceDir) + "/docs", "--out-dir", run, "--base-steps", "200", "--sft-steps", "2",
                                       "--val-tokens", "2048", "--sft-fit-max-rows", "5", "--eval-max-new-tokens", "2"};
  const pid_t child = start_program(words, folder / "out.txt", folder / "err.txt");
  base::Json seen;
  for (int i = 0; i < 600 && (seen.is_null() || !seen.at("step").is_number()); ++i) {
    const auto outcome = ask({"--json", "--gpu-hourly-usd", "3600"});
    if (outcome.code == 0) seen = base::Json::parse(outcome.output);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(seen.is_object() && seen.at("step").is_number()) << read_all(folder / "err.txt");
  EXPECT_EQ(seen.at("running"), true);
  EXPECT_EQ(seen.at("stage"), "base");
  EXPECT_EQ(seen.at("max_steps"), 200);
  EXPECT_GT(seen.at("cost_usd"), 0.0) << "a dollar a second";
  EXPECT_GE(seen.at("seconds_since_change"), 0.0);
  EXPECT_LT(seen.at("seconds_since_change"), 120.0);
  EXPECT_THAT(ask().output, HasSubstr("not running; the same command goes on with it"));

  ASSERT_EQ(program.run(words).code, 0);
  const auto done = ask();
  EXPECT_THAT(done.output, HasSubstr(run + ": complete"));
  EXPECT_THAT(done.output, HasSubstr("verdict: warn"));
}

}  // namespace
}  // namespace picochat::acceptance
