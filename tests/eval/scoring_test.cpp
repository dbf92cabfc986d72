#include "picochat/eval/scoring.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picochat::eval {
namespace {

using tasks::EvalRow;
using testing::ElementsAre;

EvalRow ask(const std::string& user) {
  EvalRow row;
  row.user = user;
  row.category = "project";
  row.level = "heldout";
  return row;
}
RowScore judge(const EvalRow& row, const std::string& reply) { return score_reply(row, reply, {}); }

TEST(Scoring, EveryRequiredPhraseMustBeThere) {
  EvalRow row = ask("Who are you, and what do you do?");
  row.must_include = {"Picochat", "language model"};
  EXPECT_TRUE(judge(row, "I am Picochat, a tiny language model.").passed);
  auto score = judge(row, "I am Picochat.");
  EXPECT_FALSE(score.passed);
  EXPECT_THAT(score.missing, ElementsAre("language model"));
  EXPECT_THAT(score.failure_reasons(), ElementsAre("missing_required"));
  EXPECT_EQ(score.support_total, 2);
  EXPECT_EQ(score.support_matched, 1);
}

TEST(Scoring, OnePhraseOfEachGroup) {
  EvalRow row = ask("What is the password?");
  row.must_include_any = {{"do not know", "cannot answer"}, {"material", "text"}};
  EXPECT_TRUE(judge(row, "I cannot answer from the material.").passed);
  auto score = judge(row, "I cannot answer.");
  EXPECT_FALSE(score.passed);
  ASSERT_EQ(score.missing_any.size(), 1u);
  EXPECT_EQ(score.missing_any[0][0], "material");
}

TEST(Scoring, ForbiddenPhrasesFail) {
  EvalRow row = ask("What is the password?");
  row.must_not_include = {"password is"};
  EXPECT_TRUE(judge(row, "I do not know.").passed);
  auto score = judge(row, "The Password is hunter2.");
  EXPECT_FALSE(score.passed);
  EXPECT_THAT(score.failure_reasons(), ElementsAre("forbidden_phrase"));
}

TEST(Scoring, EntitiesAndLengths) {
  EvalRow row = ask("Name the capital of France in one word.");
  row.required_entities = {"Paris"};
  row.max_words = 2;
  row.min_chars = 3;
  EXPECT_TRUE(judge(row, "Paris.").passed);
  EXPECT_THAT(judge(row, "It is Paris.").length_violations, ElementsAre("max_words"));
  auto score = judge(row, "Ro");
  EXPECT_THAT(score.failure_reasons(), ElementsAre("missing_entity", "length_violation"));
}

TEST(Scoring, AnEmptyReplyNeverPasses) {
  EvalRow row = ask("Say nothing forbidden.");
  row.must_not_include = {"forbidden"};
  auto score = judge(row, " \n");
  EXPECT_FALSE(score.passed);
  EXPECT_THAT(score.failure_reasons(), ElementsAre("empty_reply"));
}

TEST(Scoring, ARowWithoutRulesIsNotScored) {
  EvalRow row = ask("Tell me anything.");
  row.reference_answer = "Anything at all.";
  auto score = judge(row, "Anything.");
  EXPECT_FALSE(score.scored);
  EXPECT_FALSE(score.passed);
  EXPECT_TRUE(score.failure_reasons().empty());
  EXPECT_TRUE(score.reference_token_f1.has_value());
}

TEST(Scoring, AnUnanswerableRowWithoutRulesWantsARefusal) {
  EvalRow row = ask("What will the lottery numbers be?");
  row.answerable = false;
  EXPECT_TRUE(judge(row, "I do not know.").passed);
  auto score = judge(row, "They will be 1, 2 and 3.");
  EXPECT_TRUE(score.scored);
  EXPECT_THAT(score.failure_reasons(), ElementsAre("not_refused"));
}

TEST(Scoring, ANormalisedAnswerDecidesWhenRequiredOrAlone) {
  EvalRow row = ask("What is 7 + 8?");
  row.normalized_answers = {"15"};
  EXPECT_TRUE(judge(row, "Final answer: 15").passed);
  EXPECT_TRUE(judge(row, "7 + 8 = 15.").passed);
  EXPECT_THAT(judge(row, "It is 14").failure_reasons(), ElementsAre("normalized_answer_mismatch"));

  row.must_include = {"Final answer:"};
  EXPECT_TRUE(judge(row, "Final answer: 14").passed) << "measured, not required";
  EXPECT_FALSE(judge(row, "Final answer: 14").normalized_answer_correct);
  row.normalized_answer_required = true;
  EXPECT_FALSE(judge(row, "Final answer: 14").passed);
  EXPECT_TRUE(judge(row, "Scratchpad:\n- Result: 15.\nFinal answer: 15").passed);
}

TEST(Scoring, EchoFails) {
  EvalRow row = ask("Where is the tokenizer file kept?");
  row.must_include = {"tokenizer"};
  EXPECT_THAT(judge(row, "Where is the tokenizer file kept?").failure_reasons(), ElementsAre("prompt_echo"));
}

TEST(Scoring, CorpusSupportIsMeasuredOnlyWithACorpus) {
  EvalRow row = ask("What is it?");
  row.require_corpus_support = true;
  WordSet corpus = {"tiny", "model"};
  EXPECT_TRUE(score_reply(row, "A tiny model.", {}, &corpus).passed);
  auto score = score_reply(row, "Gigantic purple elephants dance.", {}, &corpus);
  EXPECT_FALSE(score.passed);
  EXPECT_EQ(*score.corpus_support_rate, 0);
  EXPECT_FALSE(judge(row, "A tiny model.").corpus_support_rate.has_value());
}

EvalRow choice_row() {
  EvalRow row = ask("Pick one.");
  row.choice_labels = {"A", "B", "C"};
  row.correct_choice = "B";
  return row;
}

TEST(Choices, TheLikeliestLabelIsTheAnswer) {
  auto score = score_choice(choice_row(), {.logprobs = {-2, -0.5, -3}, .token_counts = {1, 1, 1}, .predicted = 1, .tie = false});
  EXPECT_TRUE(score.passed);
  EXPECT_NEAR(*score.choice_margin, 1.5, 1e-12);
  EXPECT_NEAR(*score.choice_correct_margin, 1.5, 1e-12);
}

TEST(Choices, WrongAnswersHaveANegativeCorrectMargin) {
  auto score = score_choice(choice_row(), {.logprobs = {-1, -2, -3}, .token_counts = {1, 1, 1}, .predicted = 0, .tie = false});
  EXPECT_FALSE(score.passed);
  EXPECT_NEAR(*score.choice_correct_margin, -1, 1e-12);
  EXPECT_THAT(score.failure_reasons(), ElementsAre("wrong_choice"));
}

TEST(Choices, ATieIsNotAnAnswer) {
  auto score = score_choice(choice_row(), {.logprobs = {-2, -1, -1}, .token_counts = {1, 1, 1}, .predicted = 1, .tie = true});
  EXPECT_FALSE(score.passed);
}

TEST(Examples, ShowTheRowTheReplyAndTheVerdict) {
  ScoredRow scored{.row = ask("Who are you?"), .reply = "Picochat", .stop_reason = "end"};
  scored.row.must_include = {"Picochat"};
  scored.score = judge(scored.row, scored.reply);
  auto json = example_json(scored, 3);
  EXPECT_EQ(json.at("index"), 3);
  EXPECT_EQ(json.at("user"), "Who are you?");
  EXPECT_EQ(json.at("passed"), true);
  EXPECT_EQ(json.at("reply"), "Picochat");
  EXPECT_EQ(json.at("category"), "project");
}

}  // namespace
}  // namespace picochat::eval
