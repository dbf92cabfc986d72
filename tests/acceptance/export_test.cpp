// The documented way out of a run: export with the runbook's flags, then back in, then asked again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "picochat/base/json.hpp"
#include "program.hpp"
#include "support/model_hub.hpp"

namespace picochat::acceptance {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// One short run for all tests: what is exported matters here, not what was learned.
class Export : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    std::ofstream corpus(folder_->path() / "corpus.jsonl");
    for (int i = 0; i < 400; ++i)
      corpus << base::Json{{"text", "Entry " + std::to_string(i) + ": a river carries " + std::to_string(i * 7) + " letters to the market, and the old bridge keeps every door open."}}.dump() << "\n";
    corpus.close();
    trained_ = Program(folder_->path()).run(
        {"run", "tiny", "--corpus-input", (folder_->path() / "corpus.jsonl").string(), "--out-dir", run(), "--tokenizer-vocab-size", "320", "--context-size", "128", "--n-embd", "64",
         "--n-head", "4", "--n-kv-head", "2", "--n-layer", "2", "--norm-type", "rmsnorm", "--position-encoding", "rope", "--activation", "swiglu", "--tie-embeddings", "--qk-norm",
         "--parallel-residual", "--no-linear-bias", "--base-steps", "4", "--base-batch-size", "4", "--sft-steps", "1", "--sft-batch-size", "2", "--sft-fit-max-rows", "4",
         "--eval-max-new-tokens", "2", "--val-tokens", "2048", "--allow-unsafe-long-run"});
  }
  static void TearDownTestSuite() { delete folder_; }
  void SetUp() override { ASSERT_TRUE(trained_.code == 0 || trained_.code == 3) << trained_.errors; }

  static std::string run() { return (folder_->path() / "run").string(); }
  static std::vector<std::string> command(const std::string& out) {
    return {"export", "hf", "--checkpoint", run() + "/sft/checkpoint", "--tokenizer", run() + "/tokenizer.json", "--out-dir", out,
            "--model-name", "picochat-100m-smollm-public-v1", "--license", "mit", "--dataset-summary", "Four hundred invented documents.",
            "--eval-summary", "Publish only with summary.md, gate report, eval report, and honesty report."};
  }

  TemporaryFolder scratch;
  Program program{scratch.path()};

 private:
  static inline TemporaryFolder* folder_ = nullptr;
  static inline Outcome trained_;
};

TEST_F(Export, ARunLeavesAsTheRunbookSaysAndComesBack) {
  const auto exported = (scratch.path() / "exports/model").string(), back = (scratch.path() / "back").string();
  for (int time = 0; time < 2; ++time) {  // the runbook gives the command twice
    const auto outcome = program.run(command(exported));
    ASSERT_EQ(outcome.code, 0) << outcome.errors;
    EXPECT_THAT(outcome.output, AllOf(HasSubstr("exported: "), HasSubstr("manifest: "), HasSubstr("model_card: "), HasSubstr("PicochatForCausalLM")));
  }
  EXPECT_THAT(read_all(exported + "/README.md"), AllOf(HasSubstr("license: mit"), HasSubstr("Four hundred invented documents."), HasSubstr("Publish only with summary.md")));
  const auto gate = base::Json::parse(read_all(run() + "/gate/gate.json")), manifest = base::Json::parse(read_all(exported + "/release_manifest.json"));
  EXPECT_EQ(manifest.at("release_gate").at("status"), gate.at("status"));
  EXPECT_NE(gate.at("status"), "approved");
  EXPECT_EQ(read_all(exported + "/evidence/summary.md"), read_all(run() + "/summary.md"));

  const std::string card = read_all(exported + "/README.md");
  EXPECT_THAT(card, AllOf(HasSubstr("\nmodel-index:\n- name: \"picochat-100m-smollm-public-v1\"\n  results:\n  - task:\n      type: text-generation\n"), HasSubstr("      verified: false\n")));

  EXPECT_THAT(card, AllOf(HasSubstr("400 documents, "), HasSubstr("## Contamination\n\nStatus: "), HasSubstr("| base corpus vs eval |"), HasSubstr("### Failed")));

  ASSERT_EQ(program.run({"import", "hf", "--model", exported, "--out-dir", back}).code, 0);
  EXPECT_EQ(read_all(back + "/checkpoint/model.safetensors"), read_all(run() + "/sft/checkpoint/model.safetensors"));
  const auto asked = program.run({"eval", "chat", "--checkpoint", back + "/checkpoint", "--tokenizer", back + "/tokenizer.json", "--input", run() + "/tasks/eval.jsonl", "--out-dir",
                                  (scratch.path() / "asked").string(), "--max-rows", "2", "--max-new-tokens", "2"});
  EXPECT_EQ(asked.code, 0) << asked.errors;
  const auto tuned = program.run({"train", "sft", "--input", run() + "/tasks/chat.jsonl", "--checkpoint", back + "/checkpoint", "--tokenizer", back + "/tokenizer.json", "--out-dir",
                                  (scratch.path() / "tuned").string(), "--max-steps", "2", "--batch-size", "2"});
  EXPECT_EQ(tuned.code, 0) << tuned.errors;
  EXPECT_TRUE(std::filesystem::exists(scratch.path() / "tuned/checkpoint/model.safetensors"));
}

// The first line after the YAML front matter.
std::string first_line(const std::string& card) {
  const size_t begin = card.find("\n---\n") + 5;
  return card.substr(begin, card.find('\n', begin) - begin);
}

TEST_F(Export, TheCardSaysWhatTheGateSaidAndNothingElse) {
  const auto copy = scratch.path() / "run", out = scratch.path() / "out";
  auto card_of = [&](const std::string& checkpoint) {
    auto words = command(out.string());
    words[3] = checkpoint;
    const auto outcome = program.run(words);
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    return first_line(read_all(out / "README.md"));
  };
  std::filesystem::copy(run(), copy, std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  const auto gate = base::Json::parse(read_all(copy / "gate/gate.json"));
  std::string status = gate.at("status");
  for (char& c : status) c = static_cast<char>(std::toupper(c));
  EXPECT_THAT(card_of((copy / "sft/checkpoint").string()), HasSubstr("**Release gate: " + status + "** (research)"));
  EXPECT_THAT(card_of((copy / "base/checkpoint").string()), HasSubstr("NOT JUDGED"));  // the gate judged another one

  auto better = gate;
  better["status"] = "approved";
  std::ofstream(copy / "gate/gate.json") << base::dump(better);
  EXPECT_THAT(card_of((copy / "sft/checkpoint").string()), AllOf(HasSubstr("**Release gate: BLOCKED**"), HasSubstr("do not give the recorded verdict")));
  std::ofstream(copy / "gate/gate.json") << base::dump(gate);

  auto report = base::Json::parse(read_all(copy / "eval/eval_report.json"));
  report["summary"]["num_passed"] = report["summary"].at("num_scored");
  std::ofstream(copy / "eval/eval_report.json") << base::dump(report);
  EXPECT_THAT(card_of((copy / "sft/checkpoint").string()), AllOf(HasSubstr("**Release gate: BLOCKED**"), HasSubstr("eval")));
}

TEST_F(Export, ABundleCarriesTheCardAndTheManifest) {
  const auto bundle = (scratch.path() / "b.tgz").string();
  ASSERT_EQ(program.run({"run", "bundle", "--run-dir", run(), "--out", bundle}).code, 0);
  const auto manifest = base::Json::parse(read_all(bundle + ".manifest.json"));
  bool found = false;
  for (const auto& item : manifest.at("required_artifacts"))
    if (item.at("name") == "hf_export_and_model_card") {
      EXPECT_EQ(item.at("status"), "present") << item;
      found = true;
    }
  EXPECT_TRUE(found);
}

// The runbook's last command, letter for letter but for its paths.
TEST_F(Export, ThePushOfTheRunbook) {
  test::ModelHub hub(scratch.path() / "hub");
  hub.token = "hf_push";
  const std::string repository = "someone/picochat-100m-smollm-public-v1", out = (scratch.path() / "exports/model").string();
  ::setenv("HF_ENDPOINT", hub.endpoint().c_str(), 1);
  ::setenv("HF_TOKEN", "hf_push", 1);
  ::setenv("PICOCHAT_HUB_RETRY_SECONDS", "0.01", 1);
  auto words = command(out);
  words.back() = "See attached release evidence.";
  words.insert(words.end(), {"--push-to-hub", "--repo-id", repository});
  auto with = [&](std::vector<std::string> more) {
    auto all = words;
    all.insert(all.end(), more.begin(), more.end());
    return program.run(all);
  };

  // This run was not approved: nothing leaves, and nothing is written.
  const auto refused = program.run(words);
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("did not approve"), HasSubstr("--as-blocked-research")));
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_EQ(hub.creations, 0);

  const auto dry = with({"--as-blocked-research", "--dry-run"});
  EXPECT_EQ(dry.code, 0) << dry.errors;
  EXPECT_THAT(dry.output, AllOf(HasSubstr("would push to " + repository), HasSubstr("model.safetensors"), HasSubstr("evidence/summary.md")));
  EXPECT_EQ(hub.creations, 0);

  hub.storage_fault = [](int number) { return number == 0 ? test::PushFault::kCut : test::PushFault::kNone; };
  const auto pushed = with({"--as-blocked-research", "--private"});
  ASSERT_EQ(pushed.code, 0) << pushed.errors;
  EXPECT_THAT(pushed.output, AllOf(HasSubstr("pushed: http"), HasSubstr(repository)));
  EXPECT_THAT(pushed.output + pushed.errors, ::testing::Not(HasSubstr("hf_push")));
  const auto files = *hub.files(repository);
  const auto manifest = base::Json::parse(read_all(out + "/release_manifest.json"));
  for (const auto& [name, entry] : manifest.at("files").items()) EXPECT_TRUE(hub.content(files.at(name)) == read_all(out + "/" + name)) << name;
  EXPECT_TRUE(hub.content(files.at("release_manifest.json")) == read_all(out + "/release_manifest.json"));
  EXPECT_TRUE(hub.private_repositories.contains(repository));
  EXPECT_EQ(hub.tokens_at_storage, 0);

  const auto again = with({"--as-blocked-research"});  // the same files: an export holds no time of day
  EXPECT_EQ(again.code, 0) << again.errors;
  EXPECT_THAT(again.output, HasSubstr("pushed: nothing"));
  EXPECT_EQ(hub.commits, 1);

  hub.token = "hf_later";  // the old one has expired: said before the export begins
  *(std::find(words.begin(), words.end(), "--out-dir") + 1) = (scratch.path() / "late").string();
  const auto expired = with({"--as-blocked-research"});
  EXPECT_EQ(expired.code, 4);
  EXPECT_THAT(expired.errors, AllOf(HasSubstr("does not take the token"), ::testing::Not(HasSubstr("hf_push"))));
  EXPECT_FALSE(std::filesystem::exists(scratch.path() / "late"));
  for (const char* name : {"HF_ENDPOINT", "HF_TOKEN", "PICOCHAT_HUB_RETRY_SECONDS"}) ::unsetenv(name);
}

// A run whose held-out rows ask no more than its rows taught: the gate approves it, and the push needs no word more.
TEST_F(Export, AnApprovedRunIsPushedAsARelease) {
  std::ofstream chat(scratch / "chat.jsonl"), eval(scratch / "eval.jsonl");
  const std::vector<std::string> things{"lamp", "kettle", "ladder", "bicycle", "hammer", "bucket", "garden", "window", "candle", "basket", "engine", "bridge", "carpet", "pencil", "mirror", "drawer",
                                        "wagon", "needle", "saucer", "table", "feather", "bell", "drum", "flag", "boat", "coin", "clock", "glove", "scarf", "key"};
  const std::vector<std::string> rooms{"kitchen", "attic", "cellar", "hall", "shed", "barn", "office"};
  for (size_t i = 0; i < things.size(); ++i)
    for (size_t j = 0; j < rooms.size(); ++j) {
      const bool held_out = (3 * i + j) % 4 == 0;
      const std::string colour = "Which colour has the " + things[i] + " of the " + rooms[j] + "?", secret = "Tell me the secret code of the " + things[i] + " near the " + rooms[j] + ".";
      if (held_out) {
        eval << base::Json{{"category", "colour"}, {"answerable", true}, {"user", colour}, {"must_include", {"blue"}}}.dump() << "\n";
        if (j < 3) eval << base::Json{{"category", "refusal"}, {"answerable", false}, {"user", secret}, {"must_include", {"cannot answer"}}}.dump() << "\n";
      } else {
        chat << base::Json{{"category", "colour"}, {"user", colour}, {"assistant", "It is blue."}}.dump() << "\n";
        if (j < 3) chat << base::Json{{"category", "refusal"}, {"user", secret}, {"assistant", "I cannot answer that."}}.dump() << "\n";
      }
    }
  chat.close();
  eval.close();
  const std::string approved = (scratch / "approved").string(), out = (scratch / "release").string();
  const auto trained = program.run({"run", "tiny", "--corpus-input", std::string(picochat::kSourceDir) + "/docs", "--chat-input", (scratch / "chat.jsonl").string(), "--eval-input", (scratch / "eval.jsonl").string(),
                                    "--out-dir", approved, "--tokenizer-vocab-size", "512", "--context-size", "64", "--n-embd", "64", "--n-head", "4", "--n-kv-head", "2", "--n-layer", "2",
                                    "--norm-type", "rmsnorm", "--position-encoding", "rope", "--activation", "swiglu", "--tie-embeddings", "--qk-norm", "--no-parallel-residual", "--no-linear-bias",
                                    "--base-steps", "20", "--base-batch-size", "8", "--sft-steps", "150", "--sft-batch-size", "16", "--sft-learning-rate", "3e-3", "--sft-fit-max-rows", "40",
                                    "--eval-max-new-tokens", "12", "--val-tokens", "2048"});
  ASSERT_EQ(trained.code, 0) << trained.errors;
  ASSERT_THAT(trained.output, HasSubstr("release gate: approved"));

  test::ModelHub hub(scratch / "hub");
  ::setenv("HF_ENDPOINT", hub.endpoint().c_str(), 1);
  ::setenv("PICOCHAT_TEST_PUSH_TOKEN", "hf_good", 1);
  const auto pushed = program.run({"export", "hf", "--checkpoint", approved + "/sft/checkpoint", "--tokenizer", approved + "/tokenizer.json", "--out-dir", out, "--license", "mit", "--push-to-hub",
                                   "--repo-id", "someone/release", "--token-env", "PICOCHAT_TEST_PUSH_TOKEN"});
  for (const char* name : {"HF_ENDPOINT", "PICOCHAT_TEST_PUSH_TOKEN"}) ::unsetenv(name);
  ASSERT_EQ(pushed.code, 0) << pushed.errors;
  const auto files = *hub.files("someone/release");
  const auto manifest = base::Json::parse(read_all(out + "/release_manifest.json"));
  EXPECT_EQ(manifest.at("release_gate").at("status"), "approved");
  for (const auto& [name, entry] : manifest.at("files").items()) EXPECT_TRUE(hub.content(files.at(name)) == read_all(out + "/" + name)) << name;
  EXPECT_THAT(hub.content(files.at("README.md")), AllOf(HasSubstr("\n---\n**Release gate: APPROVED**"), HasSubstr("- release-gate-approved\n")));
}

TEST_F(Export, AnInterruptedPushGoesOnWhenItIsRepeated) {
  test::ModelHub hub(scratch.path() / "hub");
  hub.slow_ms = 100;
  hub.storage_fault = [](int) { return test::PushFault::kSlow; };
  ::setenv("HF_ENDPOINT", hub.endpoint().c_str(), 1);
  ::setenv("PICOCHAT_TEST_PUSH_TOKEN", "hf_good", 1);
  const std::string out = (scratch.path() / "out").string();
  auto words = command(out);
  words.insert(words.end(), {"--push-to-hub", "--repo-id", "someone/model", "--as-blocked-research", "--token-env", "PICOCHAT_TEST_PUSH_TOKEN", "--revision", "next", "--commit-message", "second try"});
  const auto stopped = program.run_until(words, [&] { return hub.storage_requests > 0; }, SIGINT);
  EXPECT_EQ(stopped.code, 130) << stopped.errors;
  EXPECT_EQ(hub.commits, 0);
  EXPECT_TRUE(std::filesystem::exists(out + "/release_manifest.json"));  // the export is whole
  hub.storage_fault = [](int) { return test::PushFault::kNone; };
  const auto again = program.run(words);
  EXPECT_EQ(again.code, 0) << again.errors;
  EXPECT_EQ(hub.message("someone/model", "next"), "second try");
  EXPECT_TRUE(hub.content(hub.files("someone/model", "next")->at("model.safetensors")) == read_all(out + "/model.safetensors"));
  for (const char* name : {"HF_ENDPOINT", "PICOCHAT_TEST_PUSH_TOKEN"}) ::unsetenv(name);
}

TEST_F(Export, FlagsOfAPushGoWithAPush) {
  for (const std::vector<std::string>& flags : {std::vector<std::string>{"--dry-run"}, {"--private"}, {"--repo-id", "a/b"}, {"--push-to-hub"}, {"--push-to-hub", "--repo-id", "a/b/c"},
                                                {"--push-to-hub", "--repo-id", "a/b", "--as-blocked-research", "--token-env", "PICOCHAT_NO_SUCH_VARIABLE"}}) {
    auto words = command((scratch.path() / "out").string());
    words.insert(words.end(), flags.begin(), flags.end());
    const auto outcome = program.run(words);
    EXPECT_EQ(outcome.code, 2) << flags.front() << outcome.errors;
    EXPECT_FALSE(std::filesystem::exists(scratch.path() / "out"));
  }
}

TEST_F(Export, GgufNamesThePresetThatWouldDo) {
  const auto outcome = program.run({"export", "gguf", "--checkpoint", run() + "/sft/checkpoint", "--tokenizer", run() + "/tokenizer.json", "--out", (scratch.path() / "m.gguf").string()});
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors, HasSubstr("h100-100m-stock"));
}

// Runs where a Python with transformers is: PICOCHAT_PYTHON, else python3.
TEST_F(Export, TransformersAgrees) {
  const char* named = std::getenv("PICOCHAT_PYTHON");
  const std::string python = named ? named : "python3";
  if (std::system((python + " -c 'import torch, transformers, safetensors' >/dev/null 2>&1").c_str()) != 0) GTEST_SKIP() << "skipped: " << python << " has no torch and transformers";
  auto with_python = command((scratch.path() / "out").string());
  with_python.insert(with_python.end(), {"--verify-with-python", "--python", python});
  const auto outcome = program.run(with_python);
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("every check passed"));
}

}  // namespace
}  // namespace picochat::acceptance
