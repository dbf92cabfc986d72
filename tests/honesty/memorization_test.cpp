#include "picochat/honesty/memorization.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/text.hpp"

namespace picochat::honesty {
namespace {

using base::cat;
using base::Json;
using ::testing::HasSubstr;

CorpusStream stream(std::vector<std::string> documents) {
  return [documents = std::move(documents)](const std::function<bool(const CorpusDocument&)>& visit) {
    for (size_t i = 0; i < documents.size(); ++i)
      if (!visit({documents[i], cat("doc-", i), "books.txt"})) return;
  };
}

// `n` words that stand nowhere else.
std::string own_words(const std::string& stem, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += cat(stem, i, " ");
  return out;
}

TEST(Memorization, TheLongestRecitedRunAndItsPlace) {
  MemorizationInputs inputs;
  inputs.corpus = stream({"nothing", cat("Some text first. ", own_words("river", 60), "and more.")});
  inputs.generated = {{"sample", cat(own_words("new", 40), own_words("river", 40), own_words("other", 300))}};
  const Json report = measure_memorization(inputs);
  EXPECT_EQ(report["longest_train_overlap_tokens"], 40);
  EXPECT_EQ(report["train_overlap_ngrams"], 33);
  EXPECT_EQ(report["status"], "medium");
  EXPECT_EQ(report["longest_train_overlap"]["document"], "doc-1");
  EXPECT_EQ(report["longest_train_overlap"]["file"], "books.txt");
  EXPECT_THAT(report["longest_train_overlap"]["snippet"].get<std::string>(), HasSubstr("river0 river1"));
  EXPECT_EQ(report["longest_validation_overlap_tokens"], "not_measured");
}

TEST(Memorization, LevelsOfRisk) {
  auto status = [](int recited, int own) {
    MemorizationInputs inputs;
    inputs.corpus = stream({own_words("river", 200)});
    inputs.generated = {{"sample", cat(own_words("river", recited), own_words("own", own))}};
    return measure_memorization(inputs)["status"].get<std::string>();
  };
  EXPECT_EQ(status(0, 100), "low");
  EXPECT_EQ(status(12, 300), "low");
  EXPECT_EQ(status(31, 1000), "low");
  EXPECT_EQ(status(32, 1000), "medium");
  EXPECT_EQ(status(25, 60), "medium");   // a fifth of the runs
  EXPECT_EQ(status(80, 3000), "high");
  EXPECT_EQ(status(40, 40), "high");     // nearly half of the runs
}

TEST(Memorization, HeldOutTextIsCountedApart) {
  MemorizationInputs inputs;
  inputs.corpus = stream({own_words("train", 50), own_words("held", 50)});
  inputs.held_out = [](size_t document) { return document == 1; };
  inputs.generated = {{"sample", cat(own_words("held", 45), own_words("train", 20))}};
  const Json report = measure_memorization(inputs);
  EXPECT_EQ(report["longest_train_overlap_tokens"], 20);
  EXPECT_EQ(report["longest_validation_overlap_tokens"], 45);
}

TEST(Memorization, ACanaryThatComesBackIsHigh) {
  MemorizationInputs inputs;
  inputs.canaries = {"pico-canary-0042-00", "pico-canary-0042-01"};
  inputs.probes = {"nothing of note", "pico-canary-0042-01."};
  EXPECT_EQ(measure_memorization(inputs)["status"], "high") << "even where the text was not given";
  EXPECT_EQ(measure_memorization(inputs)["canary_hits"], Json::array({"pico-canary-0042-01"}));
  inputs.probes.clear();
  EXPECT_EQ(measure_memorization(inputs)["status"], "not_measured");
  EXPECT_EQ(measure_memorization(inputs)["train_overlap_rate"], "not_measured");
  inputs.corpus = stream({"text"});
  inputs.generated = {{"sample", own_words("own", 30)}};
  EXPECT_EQ(measure_memorization(inputs)["status"], "low");
}

TEST(Memorization, ShortRepliesAreNotMeasured) {
  MemorizationInputs inputs;
  inputs.corpus = stream({"Paris"});
  inputs.generated = {{"reply", "Paris"}};
  EXPECT_EQ(measure_memorization(inputs)["status"], "not_measured");
}

}  // namespace
}  // namespace picochat::honesty
