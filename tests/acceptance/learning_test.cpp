// A model trained on real text must know more than its word pairs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/json.hpp"
#include "program.hpp"

namespace picochat::acceptance {
namespace {

// The project's own documents are real text that is always here. The baseline is computed by the
// program on the same held-out windows; bigram_test.cpp of the train room checks its arithmetic.
TEST(Learning, HeldOutBitsPerByteFallBelowAKneserNeyBigram) {
  TemporaryFolder folder;
  Program program(folder.path());
  const auto run = folder.path() / "run";
  const auto outcome = program.run({"run", "tiny", "--scale", "tiny-cpu", "--corpus-input", PICOCHAT_SOURCE_DIR "/docs", "--out-dir", run.string(), "--base-steps",
                                    "300", "--sft-steps", "2", "--sft-fit-max-rows", "4", "--eval-max-new-tokens", "4"});
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const auto report = base::Json::parse(read_all(run / "base/train_report.json"));
  const auto checkpoint = base::Json::parse(read_all(run / "base/checkpoint/metadata.json"));
  const double bigram = report.at("bigram_baseline").at("val_bpb"), model = checkpoint.at("val_bpb");
  EXPECT_LT(model, bigram);
  EXPECT_GT(model, 0.5) << "suspiciously good: is the held-out text in the training text?";
  std::cout << "held-out bits per byte: model " << model << ", Kneser-Ney bigram " << bigram << "\nsample: " << read_all(run / "base/sample.txt") << "\n";
}

}  // namespace
}  // namespace picochat::acceptance
