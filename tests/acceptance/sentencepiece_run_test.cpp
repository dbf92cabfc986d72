// A run whose tokenizer is a sentencepiece model goes the whole way: verdict, bundle, export with tokenizer.model, and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "small_run.hpp"

namespace picochat::acceptance {
namespace {

using ::testing::HasSubstr;

class SentencepieceRun : public ::testing::TestWithParam<std::string> {
 protected:
  TemporaryFolder root;
  Program program{root.path()};
};

TEST_P(SentencepieceRun, GoesFromTextToABundleAndAnExportThatComesBack) {
  write_corpus(root.path() / "corpus");
  auto arguments = run_arguments(root.path(), "run");
  for (const auto& [option, value] : {std::pair{"--base-steps", "6"}, std::pair{"--sft-steps", "2"}, std::pair{"--tokenizer-vocab-size", "400"}}) *(std::find(arguments.begin(), arguments.end(), option) + 1) = value;
  for (const std::string more : {"--tokenizer-type", "sentencepiece", "--sentencepiece-model", GetParam().c_str()}) arguments.push_back(more);
  const Outcome trained = program.run(arguments);
  ASSERT_TRUE(trained.code == 0 || trained.code == 3) << trained.errors;
  const std::string run = (root.path() / "run").string(), out = (root.path() / "export").string(), back = (root.path() / "back").string();
  EXPECT_EQ(base::read_json(run + "/tokenizer.json").at("model").at("picochat").at("type"), "sentencepiece");
  EXPECT_TRUE(std::filesystem::exists(run + "/gate/gate.json"));
  EXPECT_THAT(trained.output, HasSubstr("release gate: "));

  const Outcome bundle = program.run({"run", "bundle", "--run-dir", run, "--out", run + ".tgz"});
  ASSERT_EQ(bundle.code, 0) << bundle.errors;
  EXPECT_EQ(program.run({"run", "verify", run + ".tgz"}).code, 0);

  const Outcome exported = program.run({"export", "hf", "--checkpoint", run + "/sft/checkpoint", "--tokenizer", run + "/tokenizer.json", "--out-dir", out, "--license", "mit"});
  ASSERT_EQ(exported.code, 0) << exported.errors;
  EXPECT_GT(std::filesystem::file_size(out + "/tokenizer.model"), 0u);
  ASSERT_EQ(program.run({"import", "hf", "--model", out, "--out-dir", back}).code, 0);
  EXPECT_EQ(read_all(back + "/tokenizer.json"), read_all(run + "/tokenizer.json"));

  const std::vector<std::string> question{"--prompt", "the old bridge", "--max-new-tokens", "8", "--temperature", "0"};
  auto ask = [&](const std::string& checkpoint, const std::string& tokenizer) {
    std::vector<std::string> all{"generate", "--checkpoint", checkpoint, "--tokenizer", tokenizer};
    all.insert(all.end(), question.begin(), question.end());
    return program.run(all);
  };
  const Outcome said = ask(run + "/sft/checkpoint", run + "/tokenizer.json"), again = ask(back + "/checkpoint", back + "/tokenizer.json");
  ASSERT_EQ(said.code, 0) << said.errors;
  EXPECT_EQ(said.output, again.output);
}

INSTANTIATE_TEST_SUITE_P(Models, SentencepieceRun, ::testing::Values("bpe", "unigram"), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace picochat::acceptance
