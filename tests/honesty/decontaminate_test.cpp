#include "picochat/honesty/decontaminate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/error.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/base/text.hpp"
#include "picochat/honesty/honesty.hpp"
#include "tasks/test_files.hpp"

namespace picochat::honesty {
namespace {

using base::cat;
using base::Json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kQuestion = "Which of the gardener's twelve long rows of tulips was planted first in that cold and rainy spring?";

class Decontaminate : public ::testing::Test {
 protected:
  tasks::TestFolder folder_{"decontaminate"};
  DecontaminateOptions options_;
  void SetUp() override {
    std::string corpus;
    for (const std::string& text : {std::string("A clean page about harbors."), cat("A page. It begins well. ", kQuestion, " The answer is the ninth. It ends well, with a long line about ferries and the men who sail them."),
                                    std::string("Which of the gardener's twelve long rows of roses was planted first in that cold and rainy spring?"), std::string("Another clean page.")})
      corpus += base::canonical({{"text", text}}) + "\n";
    options_.corpus = folder_.write("corpus.jsonl", corpus).string();
    options_.eval_input = folder_.write("eval.jsonl", base::canonical({{"user", kQuestion}, {"must_include", {"ninth"}}}) + "\n").string();
    options_.out = (folder_ / "clean").string();
  }
  std::vector<std::string> texts() {
    std::vector<std::string> out;
    base::read_jsonl(folder_ / "clean/documents/shard-000000.jsonl", [&](const Json& row, int64_t) {
      out.push_back(row["text"]);
      return true;
    });
    return out;
  }
  Json honesty_of_result() {
    HonestyOptions options;
    options.corpus = (folder_ / "clean/documents").string();
    options.eval_input = options_.eval_input;
    return run_honesty(base::real_file_system(), options).json;
  }
};

TEST_F(Decontaminate, DocumentsGoAndTheCopyIsClean) {
  const Json report = run_decontaminate(base::real_file_system(), options_).json;
  EXPECT_EQ(report["documents_removed"], 2);
  EXPECT_EQ(report["documents_written"], 2);
  EXPECT_EQ(report["rows_found"]["eval"], 1);
  EXPECT_THAT(report["removals"][0]["snippet"].get<std::string>(), HasSubstr("tulips"));
  EXPECT_EQ(report["removals"][0]["document"], "corpus.jsonl:2");
  EXPECT_EQ(report["removals"][0]["file"], "corpus.jsonl");
  EXPECT_EQ(texts().size(), 2u);
  EXPECT_EQ(honesty_of_result()["corpus_prompt_hits"], 0);
  EXPECT_THAT(base::read_file(folder_ / "clean/decontamination_report.md"), HasSubstr("eval line 1"));
}

TEST_F(Decontaminate, PassagesGoWithTheirSentences) {
  options_.remove = "passage";
  const Json report = run_decontaminate(base::real_file_system(), options_).json;
  EXPECT_EQ(report["documents_cut"], 1);
  EXPECT_EQ(report["documents_removed"], 1) << "nothing but the passage";
  EXPECT_THAT(texts().at(1), HasSubstr("It begins well."));
  EXPECT_THAT(texts().at(1), HasSubstr("It ends well"));
  EXPECT_THAT(texts().at(1), Not(HasSubstr("tulips")));
  EXPECT_EQ(honesty_of_result()["corpus_prompt_hits"], 0);
}

TEST_F(Decontaminate, LevelBlockLeavesNearMatches) {
  options_.level = "block";
  EXPECT_EQ(run_decontaminate(base::real_file_system(), options_).json["documents_removed"], 1);
  EXPECT_EQ(honesty_of_result()["corpus_prompt_hits"], 1);
  EXPECT_NE(honesty_of_result()["status"], "blocked");
}

TEST_F(Decontaminate, WhatCannotBeReadStopsIt) {
  options_.external_eval = {"arc=" + (folder_ / "none.jsonl").string()};
  EXPECT_THROW(run_decontaminate(base::real_file_system(), options_), base::Error);
  EXPECT_FALSE(std::filesystem::exists(options_.out));
  options_.external_eval.clear();
  options_.eval_input.reset();
  EXPECT_THROW(run_decontaminate(base::real_file_system(), options_), base::Error);
}

TEST_F(Decontaminate, NeverWritesIntoAFullFolder) {
  std::filesystem::create_directories(options_.out);
  folder_.write("clean/something", "x");
  EXPECT_THROW(run_decontaminate(base::real_file_system(), options_), base::Error);
}

}  // namespace
}  // namespace picochat::honesty
