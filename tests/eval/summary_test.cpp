#include "picochat/eval/summary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/eval/report.hpp"

namespace picochat::eval {
namespace {

using testing::HasSubstr;

ScoredRow generated(const std::string& category, const std::string& user, const std::string& reply, const std::string& needed) {
  ScoredRow row;
  row.row.user = user;
  row.row.category = category;
  row.row.level = "heldout";
  row.row.must_include = {needed};
  row.row.answerable = category != "refusal";
  row.reply = reply;
  row.stop_reason = "end";
  row.new_tokens = 2;
  row.score = score_reply(row.row, reply, {});
  return row;
}

ScoredRow chosen(const std::string& user, int64_t predicted) {
  ScoredRow row;
  row.row.user = user;
  row.row.category = "bench_choice_science";
  row.row.level = "choice";
  row.row.choice_labels = {"A", "B", "C", "D"};
  row.row.correct_choice = "A";
  row.choice = ChoiceResult{.logprobs = {-1, -4, -5, -6}, .token_counts = {1, 1, 1, 1}, .predicted = predicted, .tie = false};
  if (predicted != 0) std::swap(row.choice->logprobs[0], row.choice->logprobs[static_cast<size_t>(predicted)]);
  row.reply = row.row.choice_labels[static_cast<size_t>(predicted)];
  row.stop_reason = "choice";
  row.score = score_choice(row.row, *row.choice);
  return row;
}

std::vector<ScoredRow> mixed() {
  return {generated("identity", "Who are you, please tell me", "Picochat", "Picochat"),
          generated("identity", "What is your name, again?", "Picochat", "Picochat"),
          generated("bench_math_addition", "What is 2 plus 3 here?", "4", "5"),
          generated("bench_math_addition", "What is 4 plus 3 here?", "7", "7"),
          generated("refusal", "What is the secret password?", "I do not know", "do not know"),
          generated("refusal", "What is the hidden key of it?", "It is 42", "do not know"),
          chosen("Choose one of four.", 0), chosen("Choose another of four.", 2)};
}

TEST(Summary, CountsAndRates) {
  auto s = summarize(mixed(), {});
  EXPECT_EQ(s.at("num_examples"), 8);
  EXPECT_EQ(s.at("num_passed"), 5);
  EXPECT_EQ(s.at("num_failed"), 3);
  EXPECT_EQ(s.at("pass_rate"), 5.0 / 8);
  EXPECT_EQ(s.at("pass_rate_ci").at("n"), 8);
  EXPECT_EQ(s.at("non_choice_examples"), 6);
  EXPECT_EQ(s.at("non_choice_pass_rate"), 4.0 / 6);
  EXPECT_EQ(s.at("num_unanswerable"), 2);
  EXPECT_EQ(s.at("refusal_pass_rate"), 0.5);
  EXPECT_EQ(s.at("prompt_echo_rate"), 0.0);
}

TEST(Summary, RefusalsAreCountedOnBothSides) {
  auto rows = mixed();
  rows.push_back(generated("identity", "Are you able to answer this?", "I do not know", "yes"));
  auto s = summarize(rows, {});
  EXPECT_EQ(s.at("unsafe_refusal_examples"), 2);
  EXPECT_EQ(s.at("unsafe_refusal_pass_rate"), 0.5);
  EXPECT_EQ(s.at("benign_non_refusal_examples"), 5) << "choice rows cannot refuse and are left out";
  EXPECT_EQ(s.at("benign_non_refusal"), 4);
  EXPECT_NEAR(s.at("over_refusal_rate").get<double>(), 0.2, 1e-12);
}

TEST(Summary, ChoicesBesideChance) {
  auto s = summarize(mixed(), {});
  EXPECT_EQ(s.at("choice_examples"), 2);
  EXPECT_EQ(s.at("choice_accuracy"), 0.5);
  EXPECT_EQ(s.at("choice_random_baseline"), 0.25);
  EXPECT_NEAR(s.at("choice_accuracy_adjusted").get<double>(), 1.0 / 3, 1e-12);
  EXPECT_EQ(s.at("choice_scoring"), "label_loglikelihood");
}

TEST(Summary, WhatWasNotMeasuredIsNull) {
  std::vector<ScoredRow> rows = {generated("identity", "Who are you, please tell me", "Picochat", "Picochat")};
  auto s = summarize(rows, {});
  for (const char* key : {"choice_accuracy", "choice_accuracy_ci", "unsupported_claim_rate", "unsupported_claims", "normalized_answer_accuracy", "refusal_pass_rate",
                          "unsafe_refusal_pass_rate", "average_corpus_support_rate", "choice_scoring", "length_violation_rate"})
    EXPECT_TRUE(s.at(key).is_null()) << key;
  EXPECT_EQ(s.at("corpus_support"), "not_measured");
}

TEST(Summary, RowsWithoutRulesDoNotCountAsPassed) {
  auto rows = mixed();
  auto empty = generated("identity", "Say anything you want.", "", "x");
  empty.row.must_include.clear();
  empty.score = score_reply(empty.row, "", {});
  rows.push_back(empty);
  auto s = summarize(rows, {});
  EXPECT_EQ(s.at("num_examples"), 9);
  EXPECT_EQ(s.at("num_unscored"), 1);
  EXPECT_EQ(s.at("pass_rate"), 5.0 / 8);
}

TEST(Breakdowns, NameTheWeakestFirst) {
  auto rows = mixed();
  rows.push_back(generated("bench_spelling_reverse", "Reverse the word cat now", "cat", "tac"));
  auto s = summarize(rows, {});
  EXPECT_EQ(s.at("category_breakdown").begin().key(), "bench_spelling_reverse");
  EXPECT_EQ(s.at("weakest_category").at("name"), "bench_spelling_reverse");
  EXPECT_EQ(s.at("weakest_category").at("pass_rate"), 0.0);
  EXPECT_EQ(s.at("skill_breakdown").at("math").at("num_examples"), 2);
  EXPECT_THAT(category_table(s), HasSubstr("0.0% [0.0, 79.3] (0/1)"));
}

TEST(Analysis, SaysWhatFailed) {
  auto rows = mixed();
  auto s = summarize(rows, {});
  auto analysis = analyze(rows, s);
  EXPECT_EQ(analysis.at("failure_counts").at("missing_required"), 2);
  EXPECT_EQ(analysis.at("failure_counts").at("wrong_choice"), 1);
  EXPECT_EQ(analysis.at("cluster_counts").at("refusal_failure"), 1);
  EXPECT_EQ(analysis.at("failed_examples").size(), 3u);
  EXPECT_EQ(analysis.at("failed_examples")[0].at("index"), 3);
  EXPECT_FALSE(analysis.at("weak_categories").empty());
  EXPECT_FALSE(analysis.at("recommendations").empty());
}

TEST(Generations, AreChosenByRuleAndSpreadOverCategories) {
  std::vector<ScoredRow> rows;
  for (int i = 0; i < 40; ++i) rows.push_back(generated("identity", "Who are you number " + std::to_string(i), "Picochat", "Picochat"));
  rows.push_back(generated("bench_math_addition", "What is 4 plus 3 here?", "7", "7"));
  auto a = sample_generations(rows, {.samples = 4});
  ASSERT_EQ(a.at("good").size(), 4u);
  EXPECT_TRUE(a.at("bad").empty());
  EXPECT_EQ(a.at("good")[0].at("category"), "bench_math_addition");
  std::reverse(rows.begin(), rows.end());
  auto b = sample_generations(rows, {.samples = 4});
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(a.at("good")[i].at("user"), b.at("good")[i].at("user")) << "the order of the file must not matter";
}

TEST(Report, ReadsWithVerdictFirstAndSurvivesOddReplies) {
  auto rows = mixed();
  rows.push_back(generated("identity", "Print | a ```fence``` for me", "```\n| x |\xff", "Picochat"));
  EvalReport report;
  report.summary = summarize(rows, {});
  report.analysis = analyze(rows, report.summary);
  report.generations = sample_generations(rows, {});
  for (size_t i = 0; i < rows.size(); ++i) report.examples.push_back(example_json(rows[i], static_cast<int64_t>(i) + 1));
  report.input = {{"path", "eval.jsonl"}, {"sha256", "abc"}};
  report.checkpoint = report.tokenizer = base::Json::object();
  std::string text = report.to_markdown("Chat eval");
  EXPECT_THAT(text, testing::StartsWith("# Chat eval\n\n**5 of 9 rows passed: 55.6% [26.7, 81.1].** Weakest category:"));
  EXPECT_THAT(text, HasSubstr("````text\nPrint | a ```fence``` for me\n````"));
  EXPECT_NO_THROW(base::parse_json(base::dump(report.to_json()), "report"));
}

}  // namespace
}  // namespace picochat::eval
