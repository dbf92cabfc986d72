// A run that is killed at any instant and started again ends with the same bytes as one that was not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/json.hpp"
#include "picochat/base/random.hpp"
#include "program.hpp"
#include "small_run.hpp"

namespace picochat::acceptance {
namespace {

using ::testing::HasSubstr;

class Resume : public ::testing::Test {
 protected:
  Resume() : program(folder.path()) { write_corpus(folder.path() / "corpus"); }
  TemporaryFolder folder;
  Program program;
};

bool finished(const Outcome& outcome) { return outcome.code == 0; }

TEST_F(Resume, KillsAtRandomInstantsLeaveTheSameBytesAsAnUndisturbedRun) {
  const auto root = folder.path();
  const auto begun = std::chrono::steady_clock::now();
  const auto whole = program.run(run_arguments(root, "whole"));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  ASSERT_TRUE(finished(whole)) << whole.errors;
  const auto expected = outcome_bytes(root / "whole");
  for (const auto& [name, bytes] : expected) ASSERT_GT(bytes.size(), 200u) << name;
  const size_t weights = std::filesystem::file_size(root / "whole/sft/checkpoint/model.safetensors");
  EXPECT_GT(expected.at("sft optimizer state").size(), 2 * (weights - 8192)) << "both moments of every weight, headers aside";

  const bool all = std::getenv("PICOCHAT_LONG_TESTS") != nullptr;
  const int kills = all ? 20 : 6;
  base::Random random(static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()), "kill instants");
  int killed = 0, runs = 0;
  while (killed < kills) {
    const std::string name = "cut-" + std::to_string(runs++);
    Outcome outcome;
    for (int life = 0; life < 40; ++life) {  // killed, started again, killed again, until it gets through
      outcome = program.run(run_arguments(root, name), random.uniform() * seconds * 0.9);
      if (finished(outcome)) break;
      ASSERT_TRUE(outcome.killed) << outcome.errors;
      if (++killed == kills) outcome = program.run(run_arguments(root, name));
      if (finished(outcome)) break;
    }
    ASSERT_TRUE(finished(outcome)) << outcome.errors;
    expect_same_bytes(root / name, expected);
    std::filesystem::remove_all(root / name);
  }
}

TEST_F(Resume, TheNumberOfThreadsChangesNoByte) {
  const auto root = folder.path();
  for (const std::string threads : {"1", "2", "3", "4"}) {
    auto arguments = run_arguments(root, "threads-" + threads);
    arguments.insert(arguments.end(), {"--threads", threads, "--base-steps", "12", "--sft-steps", "8"});
    const auto outcome = program.run(arguments);
    ASSERT_TRUE(finished(outcome)) << outcome.errors;
    expect_same_bytes(root / ("threads-" + threads), outcome_bytes(root / "threads-1"));
  }
}

TEST_F(Resume, AnInterruptSavesAndSaysHowToGoOn) {
  const auto root = folder.path();
  auto arguments = run_arguments(root, "run");
  arguments.insert(arguments.end(), {"--base-steps", "4000"});
  const auto outcome = program.run(arguments, 6, SIGINT);
  EXPECT_EQ(outcome.code, 130);
  EXPECT_THAT(outcome.errors, HasSubstr("run the same command again"));
}

TEST_F(Resume, ChangedOptionsNeverDiscardFinishedTraining) {
  const auto root = folder.path();
  auto arguments = run_arguments(root, "run");
  arguments.insert(arguments.end(), {"--base-steps", "6", "--sft-steps", "3"});
  ASSERT_TRUE(finished(program.run(arguments)));
  const std::string before = read_all(root / "run/base/checkpoint/manifest.json");
  arguments.insert(arguments.end(), {"--base-learning-rate", "0.001"});
  const auto refused = program.run(arguments);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors, ::testing::AllOf(HasSubstr("base_learning_rate"), HasSubstr("--fresh base")));
  EXPECT_EQ(read_all(root / "run/base/checkpoint/manifest.json"), before);
  arguments.insert(arguments.end(), {"--fresh", "base"});
  const auto again = program.run(arguments);
  EXPECT_TRUE(finished(again)) << again.errors;
  EXPECT_NE(read_all(root / "run/base/checkpoint/manifest.json"), before);
}

TEST_F(Resume, ASecondProcessInTheSameDirectoryIsRefused) {
  const auto root = folder.path();
  auto arguments = run_arguments(root, "run");
  arguments.insert(arguments.end(), {"--base-steps", "4000"});
  Outcome first;
  std::thread running([&] { first = Program(root).run(arguments, 8, SIGTERM); });
  std::this_thread::sleep_for(std::chrono::seconds(4));
  const auto other = root / "other";
  std::filesystem::create_directories(other);
  const auto second = Program(other).run(arguments);
  running.join();
  EXPECT_EQ(second.code, 5) << second.errors;
  EXPECT_THAT(second.errors, HasSubstr("another process"));
  EXPECT_EQ(first.code, 143);
}

// Between any two looks the wall clock goes a day ahead or back: no wait depends on it, no duration is measured with it.
TEST_F(Resume, AClockThatJumpsChangesNoByteAndNoDuration) {
  const auto root = folder.path();
  const auto arguments = [&](const std::string& name) {
    auto all = run_arguments(root, name);
    all.insert(all.end(), {"--base-steps", "12", "--sft-steps", "8"});
    return all;
  };
  const auto steady = program.run(arguments("steady"));
  ASSERT_TRUE(finished(steady)) << steady.errors;
  const auto library = std::filesystem::path(kProgram).parent_path().parent_path() / "libjumping_clock.so";
  const auto jumping = program.run_until(arguments("jumping"), nullptr, SIGKILL, "", {"LD_PRELOAD=" + library.string()});
  ASSERT_TRUE(finished(jumping)) << jumping.errors;
  const auto started = [&](const std::string& name) { return base::read_json(root / name / "run.json").at("timing").at("started_at").get<std::string>().substr(0, 10); };
  EXPECT_NE(started("jumping"), started("steady")) << "the clock did not jump";
  expect_same_bytes(root / "jumping", outcome_bytes(root / "steady"));
  std::istringstream lines(read_all(root / "jumping/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto timing = base::Json::parse(line).value("timing", base::Json::object());
    for (const auto& [name, value] : timing.items()) {
      if (!value.is_number()) continue;
      EXPECT_GE(value.get<double>(), 0) << line;
      EXPECT_TRUE(name.find("seconds") == std::string::npos || value.get<double>() < 3600) << line;
    }
  }
}

// The 100-step dry run of the runbook, on the CPU: the preset and its accumulation, warm-up and steps as they are; width, context and
// vocabulary scaled down; device and precision by what is here. It is interrupted, and goes on from its checkpoint.
TEST(DryRun, OfTheRunbookWritesCheckpointsAndResumes) {
  const TemporaryFolder folder;
  write_corpus(folder.path() / "corpus");
  Program program(folder.path());
  const auto dry_run = [&](const std::string& name) {
    return std::vector<std::string>{"run", "tiny", "--out-dir", (folder / name).string(), "--corpus-input", (folder / "corpus").string(), "--scale", "h100-100m", "--device", "cpu", "--precision", "float32",
                                    "--matmul-precision", "high", "--attn-backend", "auto", "--base-steps", "100", "--sft-steps", "1", "--long-run-gate-profile", "research", "--n-embd", "32", "--n-layer", "2",
                                    "--n-head", "4", "--n-kv-head", "2", "--context-size", "64", "--tokenizer-vocab-size", "320", "--val-tokens", "2048", "--sft-fit-max-rows", "10", "--eval-max-new-tokens", "4"};
  };
  const auto whole = program.run(dry_run("whole"));
  ASSERT_EQ(whole.code, 0) << whole.errors;
  // As raw text: the last line may be half written while the run goes on.
  const auto cut = program.run_until(dry_run("cut"), [&] { return read_all(folder / "cut/metrics.jsonl").find("\"step\":40") != std::string::npos; }, SIGTERM);
  ASSERT_EQ(cut.code, 143) << cut.errors;
  EXPECT_FALSE(std::filesystem::is_empty(folder / "cut/base/resume_checkpoint"));
  const auto resumed = program.run(dry_run("cut"));
  ASSERT_EQ(resumed.code, 0) << resumed.errors;
  EXPECT_THAT(resumed.errors, HasSubstr("base: resumed after step "));
  EXPECT_TRUE(metrics(folder / "cut") == metrics(folder / "whole"));
  for (const std::string checkpoint : {"base/checkpoint", "base/last_checkpoint", "sft/checkpoint"})
    EXPECT_EQ(read_all(folder.path() / "cut" / checkpoint / "manifest.json"), read_all(folder.path() / "whole" / checkpoint / "manifest.json")) << checkpoint;
  const auto report = base::read_json(folder / "whole/base/train_report.json");
  EXPECT_EQ(report.at("stop_reason"), "max_steps");
  EXPECT_EQ(report.at("coverage").at("grad_accum_steps"), 16) << "the preset's accumulation";
}

}  // namespace
}  // namespace picochat::acceptance
