// A model trained on real text must know more than its word pairs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "picochat/base/json.hpp"
#include "program.hpp"
#include "support/project.hpp"

namespace picochat::acceptance {
namespace {

// The project's own sources and documents are real text that is always here, about a megabyte of it.
// What the row generators hold is left out: the honesty check refuses a corpus with eval prompts in it.
void write_corpus(const std::filesystem::path& file) {
  std::vector<std::filesystem::path> paths;
  for (const char* folder : {"src", "include", "docs"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(kSourceDir) / folder)) {
      const std::string extension = entry.path().extension();
      const bool text = extension == ".cpp" || extension == ".hpp" || extension == ".md";
      if (text && entry.path().string().find("tasks") == std::string::npos) paths.push_back(entry.path());
    }
  std::sort(paths.begin(), paths.end());
  std::ofstream out(file);
  for (const auto& path : paths) out << base::Json{{"text", read_all(path)}}.dump() << "\n";
}

// The baseline is computed by the program on the same held-out windows; bigram_test.cpp of the train
// room checks its arithmetic.
TEST(Learning, HeldOutBitsPerByteFallBelowAKneserNeyBigram) {
  TemporaryFolder folder;
  Program program(folder.path());
  const auto run = folder.path() / "run";
  write_corpus(folder.path() / "corpus.jsonl");
  const auto outcome = program.run({"run", "tiny", "--scale", "tiny-cpu", "--corpus-input", (folder.path() / "corpus.jsonl").string(), "--out-dir", run.string(), "--base-steps",
                                    "500", "--sft-steps", "2", "--sft-fit-max-rows", "4", "--eval-max-new-tokens", "4"});
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
