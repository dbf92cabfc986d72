// Preference training as a user meets it: by itself, and as a stage of a run that everything after it builds on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "small_run.hpp"

namespace picochat::acceptance {
namespace {

using ::testing::HasSubstr;

void write_preferences(const std::filesystem::path& path, const std::string& prompt = "Name a colour, number ") {
  std::ofstream out(path);
  for (int i = 0; i < 30; ++i)
    out << base::Json{{"user", prompt + std::to_string(i)}, {"chosen", "blue"}, {"rejected", i % 2 ? "I do not know." : "seven"}}.dump() << "\n";
}

class Dpo : public ::testing::Test {
 protected:
  void SetUp() override {
    write_corpus(root() / "corpus");
    write_preferences(root() / "pairs.jsonl");
  }
  std::filesystem::path root() const { return folder.path(); }
  std::string at(const std::string& path) const { return (root() / path).string(); }
  std::vector<std::string> run(const std::string& name, std::vector<std::string> more = {}) const {
    auto arguments = run_arguments(root(), name);
    arguments.insert(arguments.end(), {"--base-steps", "20", "--sft-steps", "10", "--threads", "2"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::vector<std::string> with_dpo(const std::string& name) const { return run(name, {"--dpo-input", at("pairs.jsonl"), "--dpo-steps", "12", "--dpo-learning-rate", "0.002", "--dpo-beta", "0.5"}); }
  TemporaryFolder folder;
  Program program{folder.path()};
};

TEST_F(Dpo, IsAStageThatEverythingAfterItBuildsOn) {
  const auto outcome = program.run(with_dpo("r"));
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.errors, HasSubstr("7/8 dpo"));
  EXPECT_THAT(outcome.errors, HasSubstr("dpo step 12/12"));
  const auto report = base::read_json(at("r/dpo/dpo_report.json")), summary = base::read_json(at("r/summary.json"));
  EXPECT_EQ(report.at("losses").back().at("val_accuracy"), 1.0);
  EXPECT_EQ(summary.at("dpo").at("final_val_accuracy"), 1.0);
  EXPECT_EQ(summary.at("artifacts").at("aligned_eval_checkpoint").at("path"), "dpo/checkpoint");
  EXPECT_EQ(base::read_json(at("r/eval/eval_report.json")).at("checkpoint").at("path"), "dpo/checkpoint");
  EXPECT_THAT(read_all(root() / "r/summary.md"), HasSubstr("dpo/curves.svg"));
  EXPECT_EQ(program.run({"run", "bundle", "--run-dir", at("r"), "--out", at("r.tgz")}).code, 0);
  const auto verified = program.run({"run", "verify", at("r.tgz")});
  EXPECT_EQ(verified.code, 0) << verified.output << verified.errors;

  // The same run again changes nothing; without its preferences it is another run.
  const auto digest = read_all(root() / "r/dpo/checkpoint/manifest.json");
  EXPECT_THAT(program.run(with_dpo("r")).errors, HasSubstr("7/8 dpo: unchanged, reused"));
  EXPECT_EQ(read_all(root() / "r/dpo/checkpoint/manifest.json"), digest);
  const auto without = program.run(run("r"));
  EXPECT_EQ(without.code, 2);
  EXPECT_THAT(without.errors, HasSubstr("--fresh dpo"));
  const auto discarded = program.run(run("r", {"--fresh", "dpo"}));
  EXPECT_EQ(discarded.code, 0) << discarded.errors;
  EXPECT_FALSE(std::filesystem::exists(root() / "r/dpo"));
  EXPECT_EQ(base::read_json(at("r/eval/eval_report.json")).at("checkpoint").at("path"), "sft/checkpoint");
}

TEST_F(Dpo, RowsThatGiveTheEvalAwayBlockTheRun) {
  ASSERT_EQ(program.run(run("r", {"--preflight-only"})).code, 0);
  std::istringstream eval(read_all(root() / "r/inputs/eval.jsonl"));
  std::string line;
  std::ofstream pairs(root() / "pairs.jsonl", std::ios::app);
  for (int i = 0; i < 20 && std::getline(eval, line); ++i)
    pairs << base::Json{{"user", base::Json::parse(line).at("user")}, {"chosen", "yes"}, {"rejected", "no"}}.dump() << "\n";
  pairs.close();
  const auto outcome = program.run(with_dpo("leaky"));
  EXPECT_EQ(outcome.code, 3) << outcome.errors;
  EXPECT_THAT(read_all(root() / "leaky/honesty/report.md"), HasSubstr("preferences line "));
}

TEST_F(Dpo, ByItselfItResumesAndNamesABadRow) {
  ASSERT_EQ(program.run(run("r")).code, 0);
  auto dpo = [&](const std::string& out, std::vector<std::string> more = {}) {
    std::vector<std::string> all{"train", "dpo", "--input", at("pairs.jsonl"), "--checkpoint", at("r/sft/checkpoint"), "--tokenizer", at("r/tokenizer.json"), "--out-dir", at(out),
                                 "--max-steps", "40", "--learning-rate", "0.001", "--checkpoint-every-steps", "3"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  ASSERT_EQ(program.run(dpo("whole")).code, 0);
  const auto cut = program.run_until(dpo("cut"), [&] { return std::filesystem::exists(root() / "cut/resume_checkpoint/step-00000012/manifest.json"); });
  EXPECT_TRUE(cut.killed);
  const auto resumed = program.run(dpo("cut"));
  ASSERT_EQ(resumed.code, 0) << resumed.errors;
  EXPECT_THAT(resumed.errors, HasSubstr("dpo: resumed after step "));
  EXPECT_THAT(resumed.errors, HasSubstr("are those of the earlier start"));
  EXPECT_EQ(read_all(root() / "cut/last_checkpoint/manifest.json"), read_all(root() / "whole/last_checkpoint/manifest.json"));
  EXPECT_EQ(metrics(root() / "cut"), metrics(root() / "whole"));

  // Two ranks, each with half of a step's pairs, come to the same.
  auto ranks = dpo("ranks", {"--threads", "1"}), alone = dpo("alone", {"--grad-accum-steps", "2"});
  ranks.insert(ranks.begin(), {"launch", "--nproc-per-node", "2", "--"});
  for (auto* arguments : {&ranks, &alone}) arguments->insert(arguments->end(), {"--max-steps", "6"});
  for (const auto& arguments : {ranks, alone}) ASSERT_EQ(program.run(arguments).code, 0);
  const auto shared = base::read_json(at("ranks/dpo_report.json")).at("losses").back(), own = base::read_json(at("alone/dpo_report.json")).at("losses").back();
  for (const char* key : {"train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_reward_margin"})
    EXPECT_NEAR(shared.at(key).get<double>(), own.at(key).get<double>(), 1e-3) << key;

  const auto adapters = program.run(dpo("adapters", {"--peft", "lora", "--lora-rank", "2"}));
  EXPECT_EQ(adapters.code, 0) << adapters.errors;
  EXPECT_TRUE(std::filesystem::exists(root() / "adapters/checkpoint/adapter_model.safetensors"));

  std::ofstream(root() / "pairs.jsonl", std::ios::app) << R"({"user": "q", "chosen": "same", "rejected": "same"})" << "\n";
  const auto bad = program.run(dpo("bad"));
  EXPECT_EQ(bad.code, 4);
  EXPECT_THAT(bad.errors, HasSubstr("pairs.jsonl:31"));
  EXPECT_FALSE(std::filesystem::exists(root() / "bad"));
}

}  // namespace
}  // namespace picochat::acceptance
