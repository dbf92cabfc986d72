#include "picochat/eval/likelihood.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "eval/tiny_model.hpp"
#include "picochat/base/error.hpp"
#include "picochat/model/transformer.hpp"

namespace picochat::eval {
namespace {

using Tokens = std::vector<tokenizer::TokenId>;

// The same value from one whole forward pass, without a cache.
double by_full_pass(const LanguageModel& model, Tokens tokens, size_t continuation) {
  const auto length = static_cast<int64_t>(tokens.size());
  model::Transformer transformer(model.config, 1, length, false);
  std::vector<int32_t> ids(tokens.begin(), tokens.end());
  std::vector<float> logits(static_cast<size_t>(length * model.config.vocab_size));
  transformer.logits({.rows = 1, .length = length, .tokens = ids.data()}, model.parameters, logits.data());
  double sum = 0;
  for (size_t i = tokens.size() - continuation; i < tokens.size(); ++i) {
    const float* row = logits.data() + (i - 1) * static_cast<size_t>(model.config.vocab_size);
    double total = 0;
    for (int64_t v = 0; v < model.config.vocab_size; ++v) total += std::exp(static_cast<double>(row[v]));
    sum += row[tokens[i]] - std::log(total);
  }
  return sum;
}

std::vector<LikelihoodRequest> requests(const LanguageModel& model) {
  std::vector<LikelihoodRequest> list;
  for (int i = 0; i < 13; ++i) {
    Tokens context = {tokenizer::kBos};
    model.tokenizer->encode("context " + std::string(static_cast<size_t>(i * 3), 'c'), context);
    list.push_back({.context = context, .continuations = {model.tokenizer->encode("A"), model.tokenizer->encode(" longer one"), model.tokenizer->encode("xyz")}});
  }
  return list;
}

TEST(Likelihood, EqualsAFullForwardPass) {
  auto model = random_model();
  auto list = requests(model);
  auto scores = score_continuations(model, list);
  for (size_t r = 0; r < list.size(); ++r)
    for (size_t c = 0; c < 3; ++c) {
      Tokens whole = list[r].context;
      whole.insert(whole.end(), list[r].continuations[c].begin(), list[r].continuations[c].end());
      EXPECT_NEAR(scores[r][c].logprob, by_full_pass(model, whole, list[r].continuations[c].size()), 1e-4);
      EXPECT_FALSE(scores[r][c].truncated);
    }
}

TEST(Likelihood, DoesNotDependOnTheBatch) {
  auto model = random_model();
  auto list = requests(model);
  auto alone = score_continuations(model, list, {.batch_rows = 1});
  for (int64_t rows : {2, 5, 16}) {
    auto batched = score_continuations(model, list, {.batch_rows = rows});
    for (size_t r = 0; r < list.size(); ++r)
      for (size_t c = 0; c < 3; ++c) EXPECT_EQ(alone[r][c].logprob, batched[r][c].logprob) << r << " " << c << " in rows of " << rows;
  }
}

TEST(Likelihood, OverTheVocabularySumsToOne) {
  auto model = random_model();
  LikelihoodRequest request{.context = {tokenizer::kBos, 20, 30}, .continuations = {}};
  for (tokenizer::TokenId id = 0; id < model.config.vocab_size; ++id) request.continuations.push_back({id});
  double total = 0;
  int greedy = 0;
  const auto scores = score_continuations(model, std::span(&request, 1));
  for (const auto& score : scores[0]) total += std::exp(score.logprob), greedy += score.greedy;
  EXPECT_NEAR(total, 1, 1e-9);
  EXPECT_EQ(greedy, 1);
}

TEST(Likelihood, LosesContextFromTheLeftWhenItMust) {
  auto model = random_model();
  Tokens context = {tokenizer::kBos};
  for (int i = 0; i < 120; ++i) context.push_back(static_cast<tokenizer::TokenId>(40 + i % 50));
  LikelihoodRequest request{.context = context, .continuations = {{50}, {50, 51, 52}}};
  EXPECT_FALSE(fits(model.config, request));
  auto scores = score_continuations(model, std::span(&request, 1))[0];
  for (size_t c = 0; c < 2; ++c) {
    const auto& continuation = request.continuations[c];
    Tokens kept(context.end() - (97 - static_cast<ptrdiff_t>(continuation.size())), context.end());
    Tokens whole = kept;
    whole.insert(whole.end(), continuation.begin(), continuation.end());
    EXPECT_TRUE(scores[c].truncated);
    whole.pop_back();
    ASSERT_EQ(whole.size(), 96u) << "context + continuation less its last token fill the model exactly";
    whole.push_back(continuation.back());
    LikelihoodRequest direct{.context = kept, .continuations = {continuation}};
    EXPECT_EQ(scores[c].logprob, score_continuations(model, std::span(&direct, 1))[0][0].logprob);
  }
  request.continuations = {Tokens(97, 50)};
  EXPECT_THROW(score_continuations(model, std::span(&request, 1)), base::Error);
}

tasks::EvalRow choice(std::vector<std::string> labels) {
  tasks::EvalRow row;
  row.user = "Pick one.";
  row.choice_labels = std::move(labels);
  row.correct_choice = row.choice_labels[0];
  return row;
}

TEST(Choices, LabelsThatBeginOthersAreEnded) {
  auto model = random_model();
  std::vector<tasks::EvalRow> rows = {choice({"A", "B", "C", "D"}), choice({"1", "10", "2"})};
  auto results = score_choices(model, rows);
  EXPECT_EQ(results[0].token_counts, (std::vector<int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(results[1].token_counts, (std::vector<int64_t>{2, 3, 2}));
  for (const auto& result : results) {
    ASSERT_GE(result.predicted, 0);
    for (double value : result.logprobs) EXPECT_LE(value, result.logprobs[static_cast<size_t>(result.predicted)]);
  }
}

TEST(Choices, APromptThatDoesNotFitIsNotAnswered) {
  auto model = random_model();
  auto row = choice({"A", "B"});
  row.user = std::string(200, 'x');
  auto result = score_choices(model, std::span(&row, 1))[0];
  EXPECT_EQ(result.predicted, -1);
  EXPECT_FALSE(score_choice(row, result).passed);
}

}  // namespace
}  // namespace picochat::eval
