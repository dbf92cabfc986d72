// Runs on several ranks: what goes wrong ends the job within half a minute and by name, and costs no byte of the result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>

#include "background.hpp"
#include "small_run.hpp"

namespace picochat::acceptance {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr double kHalfMinute = 30;

int rounds() { return std::getenv("PICOCHAT_LONG_TESTS") ? 20 : 5; }

double seconds_since(std::chrono::steady_clock::time_point begun) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(); }

std::map<std::string, std::string> environment_of(pid_t pid) {
  std::map<std::string, std::string> variables;
  std::istringstream text(read_all("/proc/" + std::to_string(pid) + "/environ"));
  for (std::string entry; std::getline(text, entry, '\0');) variables[entry.substr(0, entry.find('='))] = entry.substr(entry.find('=') + 1);
  return variables;
}

// The process of a rank; 0 when it is not (any more).
pid_t rank_process(pid_t launcher, int rank) {
  std::istringstream children(read_all("/proc/" + std::to_string(launcher) + "/task/" + std::to_string(launcher) + "/children"));
  for (pid_t child; children >> child;)
    if (auto variables = environment_of(child); variables["RANK"] == std::to_string(rank) && variables.contains("PICOCHAT_LAUNCH")) return child;
  return 0;
}

// Cuts the connections of a process to the other ranks; the store's stays.
int cut_connections(pid_t pid) {
  const int store = std::stoi(environment_of(pid)["MASTER_PORT"]), handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  int cut = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    const int descriptor = static_cast<int>(::syscall(SYS_pidfd_getfd, handle, std::stoi(entry.path().filename().string()), 0));
    if (descriptor < 0) continue;
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && (peer.ss_family == AF_INET || peer.ss_family == AF_INET6)) {
      const int port = ntohs(peer.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&peer)->sin_port : reinterpret_cast<sockaddr_in6*>(&peer)->sin6_port);
      if (port != store && ::shutdown(descriptor, SHUT_RDWR) == 0) ++cut;
    }
    ::close(descriptor);
  }
  ::close(handle);
  return cut;
}

std::vector<std::string> small_run(const std::filesystem::path& root, const std::string& name) {
  auto arguments = run_arguments(root, name);
  arguments.insert(arguments.end(), {"--base-steps", "40", "--sft-steps", "16", "--base-batch-size", "4", "--sft-batch-size", "2", "--threads", "1"});
  return arguments;
}

std::vector<std::string> launched(int ranks, std::vector<std::string> command, std::vector<std::string> flags = {}) {
  std::vector<std::string> arguments{"launch", "--nproc-per-node", std::to_string(ranks)};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  arguments.push_back("--");
  arguments.insert(arguments.end(), command.begin(), command.end());
  return arguments;
}

class Ranks : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    write_corpus(root() / "corpus");
    const auto outcome = Program(root()).run(launched(2, small_run(root(), "whole")));
    ASSERT_EQ(outcome.code, 0) << outcome.errors;
    expected_ = outcome_bytes(root() / "whole");
  }
  static void TearDownTestSuite() { delete folder_; }
  static std::filesystem::path root() { return folder_->path(); }

  // The job until `stage` has done `step`; false when it ended before.
  static bool reaches(Background& job, const std::string& name, const std::string& stage, int64_t step) {
    const std::string line = "\"step\":" + std::to_string(step) + ",", of = "\"stage\":\"" + stage + "\"";
    while (job.running()) {
      std::istringstream lines(read_all(root() / name / "metrics.jsonl"));
      for (std::string text; std::getline(lines, text);)
        if (text.find(line) != std::string::npos && text.find(of) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }

  // Strikes one rank of a job at a random step, expects what is said of it, goes on and compares all bytes.
  void strike(const std::string& what, int count, const std::function<void(pid_t)>& blow, const std::function<void(const std::string& log, int rank)>& expect, int only_rank = -1) {
    base::Random random(static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()), what);
    for (int round = 0; round < count; ++round) {
      const std::string name = what + "-" + std::to_string(round);
      const bool sft = random.below(4) == 0;
      const auto step = static_cast<int64_t>(1 + random.below(sft ? 14 : 38));
      const int rank = only_rank >= 0 ? only_rank : static_cast<int>(random.below(2));
      SCOPED_TRACE(name + ": rank " + std::to_string(rank) + " after step " + std::to_string(step) + (sft ? " of SFT" : ""));
      Background job(launched(2, small_run(root(), name)), root() / (name + ".txt"));
      ASSERT_TRUE(reaches(job, name, sft ? "sft" : "base", step)) << job.log();
      const pid_t victim = rank_process(job.pid(), rank);
      ASSERT_GT(victim, 0);
      const auto struck = std::chrono::steady_clock::now();
      blow(victim);
      EXPECT_EQ(job.wait(), 5) << job.log();
      EXPECT_LT(seconds_since(struck), kHalfMinute);
      expect(job.log(), rank);
      const auto resumed = Program(root()).run(launched(2, small_run(root(), name)));
      ASSERT_EQ(resumed.code, 0) << resumed.errors;
      expect_same_bytes(root() / name, expected_);
      std::filesystem::remove_all(root() / name);
    }
  }

  static TemporaryFolder* folder_;
  static std::map<std::string, std::string> expected_;
};
TemporaryFolder* Ranks::folder_ = nullptr;
std::map<std::string, std::string> Ranks::expected_;

TEST_F(Ranks, AKilledRankIsNamedAndCostsNoByte) {
  strike("kill", rounds(), [](pid_t pid) { ::kill(pid, SIGKILL); }, [](const std::string& log, int rank) {
    EXPECT_THAT(log, HasSubstr("error: rank " + std::to_string(rank) + " was killed by signal 9"));
    EXPECT_THAT(log, HasSubstr("it"));
    EXPECT_THAT(log, HasSubstr("rank-" + std::to_string(rank) + ".log"));
  });
}

TEST_F(Ranks, AStoppedRankIsNamedAndCostsNoByte) {
  strike("stop", rounds(), [](pid_t pid) { ::kill(pid, SIGSTOP); }, [](const std::string& log, int rank) {
    EXPECT_THAT(log, HasSubstr("error: rank " + std::to_string(rank) + " has not answered for "));
  });
}

TEST_F(Ranks, AFullDiskOfRankZeroIsNamedAndCostsNoByte) {
  strike("disk", rounds(), [](pid_t pid) {
    const rlimit none{0, RLIM_INFINITY};  // no write succeeds from now on
    ASSERT_EQ(::prlimit(pid, RLIMIT_FSIZE, &none, nullptr), 0);
  }, [](const std::string& log, int) {
    EXPECT_THAT(log, HasSubstr("error: rank 0 ended with exit code 5"));
    EXPECT_THAT(log, HasSubstr("File too large"));
  }, 0);
}

TEST_F(Ranks, ACutConnectionEndsTheJobAndCostsNoByte) {
  strike("cut", rounds(), [](pid_t pid) { ASSERT_GT(cut_connections(pid), 0); }, [](const std::string& log, int) {
    EXPECT_THAT(log, AnyOf(HasSubstr("error: rank 0 ended with exit code 5"), HasSubstr("error: rank 1 ended with exit code 5")));
    EXPECT_THAT(log, HasSubstr("lost the connection to another rank"));
  });
}

TEST_F(Ranks, AFullyShardedRunThatLosesARankCostsNoByte) {
  auto sharded = [](const std::string& name) {
    auto command = small_run(root(), name);
    command.insert(command.end(), {"--distributed-strategy", "fsdp"});
    return launched(2, command);
  };
  const auto whole = Program(root()).run(sharded("fsdp"));
  ASSERT_EQ(whole.code, 0) << whole.errors;
  const auto expected = outcome_bytes(root() / "fsdp");
  Background job(sharded("fsdp-cut"), root() / "fsdp-cut.txt");
  ASSERT_TRUE(reaches(job, "fsdp-cut", "base", 23)) << job.log();
  ::kill(rank_process(job.pid(), 1), SIGKILL);
  EXPECT_EQ(job.wait(), 5) << job.log();
  const auto resumed = Program(root()).run(sharded("fsdp-cut"));
  ASSERT_EQ(resumed.code, 0) << resumed.errors;
  EXPECT_THAT(resumed.errors, HasSubstr("base: resumed after step "));
  expect_same_bytes(root() / "fsdp-cut", expected);
}

TEST_F(Ranks, AJobThatMayRestartHealsByItself) {
  Background job(launched(2, small_run(root(), "heals"), {"--max-restarts", "1"}), root() / "heals.txt");
  ASSERT_TRUE(reaches(job, "heals", "base", 9)) << job.log();
  ::kill(rank_process(job.pid(), 1), SIGKILL);
  EXPECT_EQ(job.wait(), 0) << job.log();
  EXPECT_THAT(job.log(), AllOf(HasSubstr("start 2 of at most 2"), HasSubstr("base: resumed after step ")));
  expect_same_bytes(root() / "heals", expected_);
}

TEST_F(Ranks, ASignalToTheLauncherSavesOnAllRanks) {
  const auto mark = root() / "exit-code";
  auto job = launched(2, small_run(root(), "signal"), {"--on-exit", "echo $PICOCHAT_EXIT_CODE > " + mark.string()});
  Background first(job, root() / "signal.txt");
  ASSERT_TRUE(reaches(first, "signal", "base", 10)) << first.log();
  EXPECT_EQ(first.stop(SIGTERM), 143) << first.log();
  EXPECT_THAT(first.log(), HasSubstr("run the same command again"));
  EXPECT_EQ(read_all(mark), "143\n");
  const auto again = Program(root()).run(job);
  EXPECT_EQ(again.code, 0) << again.errors;
  EXPECT_EQ(read_all(mark), "0\n");
  expect_same_bytes(root() / "signal", expected_);
}

TEST_F(Ranks, AMirrorIsARunThatGoesOn) {
  auto arguments = small_run(root(), "mirrored");
  arguments.insert(arguments.end(), {"--mirror", (root() / "mirror").string()});
  const auto job = launched(2, arguments);
  Background first(job, root() / "mirrored.txt");
  ASSERT_TRUE(reaches(first, "mirrored", "base", 20)) << first.log();
  EXPECT_EQ(first.stop(SIGTERM), 143) << first.log();
  EXPECT_TRUE(std::filesystem::exists(root() / "mirror/base/resume_checkpoint/step-00000020") || std::filesystem::exists(root() / "mirror/base/resume_checkpoint/step-00000021")) << "the last one too";
  std::filesystem::remove_all(root() / "mirrored");  // the host is gone with its disk
  std::filesystem::copy(root() / "mirror", root() / "mirrored", std::filesystem::copy_options::recursive);
  const auto second = Program(root()).run(job);
  ASSERT_EQ(second.code, 0) << second.errors;
  EXPECT_THAT(second.errors, HasSubstr("base: resumed after step 2"));
  expect_same_bytes(root() / "mirrored", expected_);
  auto inside = small_run(root(), "inside");
  inside.insert(inside.end(), {"--mirror", (root() / "inside/copies").string()});
  EXPECT_EQ(Program(root()).run(inside).code, 2);
}

TEST_F(Ranks, ASaveRequestSavesAndGoesOn) {
  // So many steps that the first validation, which saves too, is far away: what is saved was asked for.
  auto arguments = small_run(root(), "asked");
  arguments.insert(arguments.end(), {"--checkpoint-every-steps", "0", "--checkpoint-minutes", "0", "--base-steps", "20000"});
  Background job(launched(2, arguments), root() / "asked.txt");
  auto newest = [&] {
    int64_t step = 0;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(root() / "asked/base/resume_checkpoint", none))
      if (const auto name = entry.path().filename().string(); name.starts_with("step-")) step = std::max<int64_t>(step, std::stoll(name.substr(5)));
    return step;
  };
  ASSERT_TRUE(reaches(job, "asked", "base", 17)) << job.log();
  EXPECT_EQ(newest(), 0) << "nothing is saved unasked";
  ::kill(job.pid(), SIGUSR1);
  while (job.running() && newest() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const auto saved = newest();
  EXPECT_GE(saved, 17) << job.log();
  EXPECT_LT(saved, 800) << "saved at the first validation, not when asked\n" << job.log();
  EXPECT_TRUE(reaches(job, "asked", "base", saved + 1)) << "it goes on\n" << job.log();
  EXPECT_EQ(job.stop(SIGTERM), 143);
}

// The loss after each step of base training.
std::map<int64_t, double> losses(const std::filesystem::path& run) {
  std::map<int64_t, double> out;
  std::istringstream lines(read_all(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);)
    if (const auto event = base::Json::parse(line); event.at("event") == "step" && event.at("stage") == "base") out[event.at("step")] = event.at("train_loss").get<double>();
  return out;
}

TEST_F(Ranks, AnotherNumberOfRanksGoesOnWithTheSameData) {
  auto on = [](int ranks, const std::string& name) {  // eight sequences a step
    auto command = small_run(root(), name);
    command.insert(command.end(), {"--base-batch-size", "2", "--base-sequences-per-step", "8", "--sft-batch-size", "1", "--sft-grad-accum-steps", std::to_string(4 / ranks)});
    return ranks == 1 ? command : launched(ranks, command);
  };
  const auto expected = losses(root() / "whole");
  for (const auto& [before, after] : {std::pair{4, 1}, {1, 4}}) {
    const std::string name = std::to_string(before) + "-to-" + std::to_string(after);
    Background first(on(before, name), root() / (name + ".txt"));
    ASSERT_TRUE(reaches(first, name, "base", 20)) << first.log();
    EXPECT_EQ(first.stop(SIGTERM), 143) << first.log();
    const auto second = Program(root()).run(on(after, name));
    ASSERT_EQ(second.code, 0) << second.errors;
    EXPECT_THAT(second.errors, HasSubstr("base: resumed after step "));
    const auto found = losses(root() / name);
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [step, loss] : expected) EXPECT_NEAR(found.at(step), loss, 1e-4 * loss) << name << " step " << step;
  }
}

TEST_F(Ranks, SanityAsksTheOtherRanks) {
  const auto outcome = Program(root()).run(launched(2, {"sanity", "preh100", "--device", "cpu", "--threads", "1", "--out-dir", (root() / "sanity").string()}));
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.errors, HasSubstr("sum over 2 ranks: right"));
}

TEST_F(Ranks, TheDryRunOfTheLargePresetEndsWithAVerdict) {
  const auto out = root() / "dry";
  const pid_t script = ::fork();
  if (script == 0) {
    ::setenv("PICOCHAT", kProgram, 1);
    const auto log = (root() / "dry.txt").string();
    ::dup2(::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDOUT_FILENO);
    ::dup2(STDOUT_FILENO, STDERR_FILENO);
    const std::string path = std::string(kSourceDir) + "/scripts/dry_run", corpus = (root() / "corpus").string();
    ::execl(path.c_str(), path.c_str(), "--out-dir", out.c_str(), "--", "--corpus-input", corpus.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(script, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0) << read_all(root() / "dry.txt");
  EXPECT_THAT(read_all(root() / "dry.txt"), HasSubstr("dry run: passed"));
  const auto report = base::read_json(out / "base/train_report.json");
  EXPECT_EQ(report.at("coverage").at("grad_accum_steps"), 8) << "the preset's accumulation";
  EXPECT_EQ(report.at("config").at("base_lr_warmup_steps"), 500) << "the preset's warm-up";
}

TEST_F(Ranks, TheVariablesOfAnyLauncherWillDo) {
  const auto command = small_run(root(), "plain");
  const auto store = std::to_string(20000 + ::getpid() % 20000);
  auto variables = [&](int rank) { return std::vector<std::string>{"RANK=" + std::to_string(rank), "WORLD_SIZE=2", "LOCAL_RANK=" + std::to_string(rank), "LOCAL_WORLD_SIZE=2", "MASTER_ADDR=127.0.0.1", "MASTER_PORT=" + store}; };
  Background zero(command, root() / "plain-0.txt", variables(0)), one(command, root() / "plain-1.txt", variables(1));
  EXPECT_EQ(zero.wait(), 0) << zero.log();
  EXPECT_EQ(one.wait(), 0) << one.log();
  expect_same_bytes(root() / "plain", expected_);
  EXPECT_EQ(one.log().find("step "), std::string::npos) << "rank 0 alone tells of the run:\n" << one.log();
}

TEST_F(Ranks, WrongUseIsSaidOnce) {
  const auto scratch = root() / "wrong";
  std::filesystem::create_directories(scratch);
  Program program(scratch);
  EXPECT_EQ(program.run({"launch", "--nproc-per-node", "2"}).code, 2);
  EXPECT_EQ(program.run({"launch", "--nproc-per-node", "0", "--", "run", "tiny"}).code, 2);
  EXPECT_EQ(program.run({"launch", "--nproc-per-node", "2", "--nnodes", "2", "--", "run", "tiny"}).code, 2);
  auto alone = small_run(root(), "alone");
  alone.insert(alone.end(), {"--ddp-world-size", "8"});
  const auto refused = program.run(alone);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("picochat launch --nproc-per-node 8 -- run tiny"));
  const auto missing = program.run(launched(2, {"run", "tiny", "--corpus-input", (root() / "nowhere").string(), "--out-dir", (root() / "missing").string()}));
  EXPECT_EQ(missing.code, 4) << missing.errors;
  EXPECT_THAT(missing.errors, HasSubstr("rank 0 ended with exit code 4"));
}

}  // namespace
}  // namespace picochat::acceptance
