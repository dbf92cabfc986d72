// `train base`, `train sft`, `train lr-range` and `batch inspect` as a user meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "picochat/base/json.hpp"
#include "program.hpp"

namespace picochat::acceptance {
namespace {

using ::testing::HasSubstr;

class TrainCommands : public ::testing::Test {
 protected:
  TrainCommands() : program(folder.path()) {
    std::ofstream text(folder.path() / "corpus.jsonl"), chat(folder.path() / "chat.jsonl");
    for (int i = 0; i < 120; ++i) {
      std::string words;
      for (int w = 0; w < 60; ++w) words += "word" + std::to_string((i * 7 + w * w) % 23) + " ";
      text << R"({"text": ")" << words << i << "\"}\n";
      if (i < 40) chat << R"({"user": "What is )" << i << R"( plus 1?", "assistant": ")" << i + 1 << "\", \"category\": \"math\"}\n";
    }
  }
  void SetUp() override {
    const auto made = program.run({"tok", "train", "--input", path("corpus.jsonl"), "--out", path("tokenizer.json"), "--type", "byte"});
    ASSERT_EQ(made.code, 0) << made.errors;
  }
  std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  std::vector<std::string> base(const std::string& out, const std::string& steps, std::vector<std::string> more = {}) const {
    std::vector<std::string> all{"train", "base", "--corpus", path("corpus.jsonl"), "--tokenizer", path("tokenizer.json"), "--out-dir", path(out), "--max-steps", steps,
                                 "--context-size", "32", "--n-embd", "32", "--n-layer", "1", "--batch-size", "4", "--log-every", "20"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  TemporaryFolder folder;
  Program program;
};

TEST_F(TrainCommands, BaseThenSftLeaveCheckpointsAndReports) {
  auto outcome = program.run(base("b", "20"));
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_EQ(picochat::base::read_json(path("b/train_report.json")).at("stop_reason"), "max_steps");
  EXPECT_THAT(program.run(base("b", "20")).errors, HasSubstr("reused"));
  const auto changed = program.run(base("b", "21"));
  EXPECT_EQ(changed.code, 2);
  EXPECT_THAT(changed.errors, HasSubstr("20 -> 21"));
  // Other text: refused before the shards that the finished training was made of are touched.
  const auto shards = read_all(path("b/token_shards/manifest.json")), manifest = read_all(path("b/corpus_manifest.json"));
  std::ofstream(path("other.jsonl")) << R"({"text": "quite another text, and a short one"})" << "\n";
  auto other = base("b", "20");
  *(std::find(other.begin(), other.end(), "--corpus") + 1) = path("other.jsonl");
  const auto refused = program.run(other);
  EXPECT_EQ(refused.code, 2) << refused.errors;
  EXPECT_THAT(refused.errors, HasSubstr("finished base training"));
  EXPECT_EQ(read_all(path("b/token_shards/manifest.json")), shards);
  EXPECT_EQ(read_all(path("b/corpus_manifest.json")), manifest);
  EXPECT_EQ(program.run(base("b", "21", {"--fresh"})).code, 0);

  outcome = program.run({"train", "sft", "--input", path("chat.jsonl"), "--tokenizer", path("tokenizer.json"), "--checkpoint", path("b/checkpoint"), "--out-dir", path("s"),
                         "--max-steps", "5", "--val-fraction", "0.5"});
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto report = picochat::base::read_json(path("s/sft_report.json"));
  EXPECT_EQ(report.at("dataset").at("val_fraction"), 0.5);
  EXPECT_TRUE(std::filesystem::exists(path("s/checkpoint")));
}

// Adapters leave a checkpoint that other commands take like any other, and the adapters beside it.
TEST_F(TrainCommands, SftWithLoraLeavesAModelThatIsExportedAndAdaptersOfItsOwn) {
  ASSERT_EQ(program.run(base("b", "20")).code, 0);
  const std::vector<std::string> lora{"train", "sft", "--input", path("chat.jsonl"), "--tokenizer", path("tokenizer.json"), "--checkpoint", path("b/checkpoint"), "--out-dir", path("l"),
                                      "--max-steps", "20", "--val-fraction", "0.5", "--peft", "lora", "--lora-rank", "4", "--lora-targets", "all_linear", "--learning-rate", "0.01"};
  const auto outcome = program.run(lora);
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.errors, HasSubstr("LoRA trains 2,048 of"));  // rank x (in + out): 4 x (128 + 64 + 160 + 160)
  const auto report = picochat::base::read_json(path("l/sft_report.json"));
  EXPECT_EQ(report.at("peft").at("rank"), 4);
  EXPECT_EQ(picochat::base::read_json(path("l/checkpoint/adapter_config.json")).at("format"), "picochat-lora");
  EXPECT_TRUE(std::filesystem::exists(path("l/checkpoint/adapter_model.safetensors")));
  const auto asked = program.run({"generate", path("l/checkpoint"), "--tokenizer", path("tokenizer.json"), "--prompt", "word", "--max-new-tokens", "3"});
  EXPECT_EQ(asked.code, 0) << asked.errors;
  const auto hf = program.run({"export", "hf", "--checkpoint", path("l/checkpoint"), "--tokenizer", path("tokenizer.json"), "--out-dir", path("hf"), "--license", "mit"});
  EXPECT_EQ(hf.code, 0) << hf.errors;
  EXPECT_THAT(program.run(lora).errors, HasSubstr("reused"));
  auto other = lora;
  *(std::find(other.begin(), other.end(), "--lora-rank") + 1) = "5";
  const auto refused = program.run(other);
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("4 -> 5"));
  other.insert(other.end(), {"--lora-dropout", "0.1"});
  EXPECT_THAT(program.run(other).errors, HasSubstr("--lora-dropout does not go with --peft lora"));
}

TEST_F(TrainCommands, ASweepTrainsEveryCandidateOnceAndNamesTheBest) {
  ASSERT_EQ(program.run(base("b", "10")).code, 0);
  std::ofstream(path("eval.jsonl")) << R"({"user": "What is 1 plus 1?", "must_include": ["2"], "reference_answer": "2", "category": "math"})" << "\n";
  const std::vector<std::string> sweep{"train", "sft-sweep", "--input", path("chat.jsonl"), "--tokenizer", path("tokenizer.json"), "--checkpoint", path("b/checkpoint"), "--out-dir", path("sweep"),
                                       "--learning-rates", "0.00003,0.01", "--steps", "2,6", "--samplings", "uniform", "--lr-warmup-steps", "1", "--eval-input", path("eval.jsonl"), "--fit-max-rows", "3", "--eval-max-new-tokens", "3"};
  const auto outcome = program.run(sweep);
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto report = picochat::base::read_json(path("sweep/sft_sweep.json"));
  std::vector<std::string> names;
  for (const auto& candidate : report.at("candidates")) {
    names.push_back(candidate.at("name"));
    EXPECT_EQ(candidate.at("sft_fit").at("n"), 3);
    EXPECT_EQ(candidate.at("eval").at("n"), 1);
    EXPECT_TRUE(candidate.at("val_loss").is_number());
    EXPECT_TRUE(std::filesystem::exists(path("sweep/" + names.back() + "/candidate_summary.json")));
  }
  EXPECT_THAT(names, ::testing::ElementsAre("uniform-lr3em05-steps2", "uniform-lr3em05-steps6", "uniform-lr1em02-steps2", "uniform-lr1em02-steps6"));
  EXPECT_LT(report.at("candidates")[3].at("val_loss"), report.at("candidates")[0].at("val_loss"));
  EXPECT_THAT(outcome.output, HasSubstr("best_sft_fit: uniform-lr"));
  const auto again = program.run(sweep);
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.errors, HasSubstr("finished earlier and unchanged, reused"));
  EXPECT_EQ(picochat::base::read_json(path("sweep/sft_sweep.json")), report);
  auto wrong = sweep;
  *(std::find(wrong.begin(), wrong.end(), "--steps") + 1) = "2,many";
  EXPECT_EQ(program.run(wrong).code, 2);
}

TEST_F(TrainCommands, AnInterruptedBaseTrainingEndsWithTheSameWeights) {
  ASSERT_EQ(program.run(base("whole", "300")).code, 0);
  const auto cut = program.run_until(base("cut", "300"), [&] { return std::filesystem::exists(path("cut/metrics.jsonl")); }, SIGTERM);
  ASSERT_EQ(cut.code, 143) << cut.errors;
  const auto rest = program.run(base("cut", "300"));
  ASSERT_EQ(rest.code, 0) << rest.errors;
  EXPECT_THAT(rest.errors, HasSubstr("resumed after step"));
  const auto weights = read_all(path("whole/last_checkpoint/model.safetensors"));
  EXPECT_FALSE(weights.empty());
  EXPECT_TRUE(weights == read_all(path("cut/last_checkpoint/model.safetensors")));
}

TEST_F(TrainCommands, ALearningRateRangeIsWrittenAsJsonAndMarkdown) {
  const auto outcome = program.run({"train", "lr-range", "--corpus", path("corpus.jsonl"), "--tokenizer", path("tokenizer.json"), "--out-dir", path("r"), "--steps", "12",
                                    "--min-lr", "1e-5", "--max-lr", "1e-1", "--context-size", "32", "--n-embd", "32", "--n-layer", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto report = picochat::base::read_json(path("r/lr_range.json"));
  const auto& rows = report.at("rows");
  ASSERT_GE(rows.size(), 8u);
  EXPECT_NEAR(rows.front().at("learning_rate").get<double>(), 1e-5, 1e-12);
  for (size_t i = 1; i < rows.size(); ++i) EXPECT_GT(rows[i].at("learning_rate").get<double>(), rows[i - 1].at("learning_rate").get<double>());
  ASSERT_EQ(report.at("summary").at("stop_reason"), "max_steps");
  EXPECT_NEAR(rows.back().at("learning_rate").get<double>(), 1e-1, 1e-9);
  EXPECT_FALSE(std::filesystem::exists(path("r/work"))) << "its checkpoints are of no use to anybody";
}

TEST_F(TrainCommands, ABatchShowsTargetsOneLaterAndOnlyAnswersLearned) {
  auto json = [&](const std::vector<std::string>& arguments) {
    const auto outcome = program.run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    return picochat::base::parse_json(outcome.output, "batch inspect");
  };
  const auto text = json({"batch", "inspect", "--corpus", path("corpus.jsonl"), "--tokenizer", path("tokenizer.json"), "--context-size", "16", "--json"});
  for (const auto& example : text.at("examples"))
    for (size_t i = 1; i < 16; ++i) EXPECT_EQ(example.at("targets").at(i - 1), example.at("tokens").at(i));
  const auto chat = json({"batch", "inspect", "--input", path("chat.jsonl"), "--tokenizer", path("tokenizer.json"), "--json"});
  for (const auto& example : chat.at("examples")) {
    EXPECT_THAT(example.at("text").get<std::string>(), HasSubstr("plus 1?"));
    EXPECT_EQ(example.at("learned_text").get<std::string>().find("plus"), std::string::npos);
    EXPECT_FALSE(example.at("learned_text").get<std::string>().empty());
  }
}

TEST_F(TrainCommands, WhatIsNotBuiltIsRefusedWithAPointer) {
  for (const auto& [flag, value, pointer] : {std::tuple("--eval-batches", "5", "--val-tokens"), {"--resume-from", "x", "--out-dir"},
                                             {"--xsa-last-n", "2", "leave the flag out"}, {"--precision", "bf16", "float32"}}) {
    const auto outcome = program.run(base("x", "5", {flag, value}));
    EXPECT_EQ(outcome.code, 2) << flag << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr(pointer));
  }
  for (const char* strategy : {"zero1", "fsdp"}) {  // whole matrices cannot be cut
    const auto outcome = program.run(base("x", "5", {"--distributed-strategy", strategy, "--optimizer", "muon"}));
    EXPECT_EQ(outcome.code, 2) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("use AdamW, or --distributed-strategy ddp"));
  }
  EXPECT_EQ(program.run(base("x", "5", {"--device", "cuda"})).code, 5);
  EXPECT_EQ(program.run({"batch", "inspect", "--tokenizer", path("tokenizer.json")}).code, 2);
  EXPECT_FALSE(std::filesystem::exists(path("x")));
}

}  // namespace
}  // namespace picochat::acceptance
