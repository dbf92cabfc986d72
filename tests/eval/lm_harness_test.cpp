// The command that is built for lm-evaluation-harness; running it is checked by hand, with the harness (docs/evaluation.md).
#include "picochat/eval/lm_harness.hpp"

#include <gmock/gmock.h>

#include "picochat/base/error.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::eval {
namespace {

using base::Json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class LmHarness : public ::testing::Test {
 protected:
  LmHarness() {
    base::write_file(base::real_file_system(), folder_ / "export/config.json", "{\"max_position_embeddings\": 128}\n");
    base::write_file(base::real_file_system(), folder_ / "export/tokenizer.json", "{\"post_processor\": null, \"model\": {}}\n");
    options_ = {.model_path = (folder_ / "export").string(), .tasks = "arc_easy,piqa", .out_dir = (folder_ / "out").string(), .server = {}, .include_path = {}, .limit = {}, .num_fewshot = {}, .dry_run = true};
  }
  std::string text() { return lm_harness(base::real_file_system(), options_).json.at("command_text"); }
  test::TemporaryFolder folder_;
  LmHarnessOptions options_;
};

TEST_F(LmHarness, AsksForBosOrItWouldScoreAnotherModel) {
  options_.limit = 10;
  options_.model_arg = {"dtype=float32", "trust_remote_code=False"};
  EXPECT_THAT(text(), AllOf(HasSubstr("--model hf --model_args pretrained="), HasSubstr(",add_bos_token=True,dtype=float32,trust_remote_code=False --tasks arc_easy,piqa"), HasSubstr("--limit 10"),
                            Not(HasSubstr("trust_remote_code=True"))));
  EXPECT_TRUE(base::read_json(folder_ / "out/lm_eval_command.json").at("dry_run"));
}

TEST_F(LmHarness, AServerIsAskedWithATokenizerThatBeginsWithBos) {
  options_.server = "http://127.0.0.1:8000/";
  EXPECT_THAT(text(), AllOf(HasSubstr("--model local-completions"), HasSubstr("base_url=http://127.0.0.1:8000/v1/completions"), HasSubstr("max_length=128"), Not(HasSubstr("--device"))));
  const Json tokenizer = base::read_json(folder_ / "out/tokenizer/tokenizer.json");
  EXPECT_EQ(tokenizer.at("post_processor").at("single")[0].at("SpecialToken").at("id"), "<bos>");
}

TEST_F(LmHarness, WhatCannotBeRunIsNamed) {
  options_.dry_run = false;
  options_.python = (folder_ / "no-such-python").string();
  EXPECT_THROW(lm_harness(base::real_file_system(), options_), base::Error);
  options_.model_arg = {"dtype"};
  EXPECT_THROW(lm_harness(base::real_file_system(), options_), base::Error);
  options_.model_path = folder_.path().string();
  EXPECT_THROW(lm_harness(base::real_file_system(), options_), base::Error);
}

}  // namespace
}  // namespace picochat::eval
