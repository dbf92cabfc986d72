#include "picochat/eval/generation.hpp"

#include <algorithm>
#include <csignal>
#include <map>

#include <gtest/gtest.h>

#include "eval/tiny_model.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/tasks/chat_format.hpp"

namespace picochat::eval {
namespace {

using tokenizer::TokenId;

std::vector<GenerationRequest> requests(const LanguageModel& model, size_t count) {
  std::vector<GenerationRequest> list;
  for (size_t i = 0; i < count; ++i) {
    std::string user = "question " + std::string(i % 11, 'x') + std::to_string(i * i);
    list.push_back({.prompt = tasks::encode_prompt(*model.tokenizer, std::string_view(user)), .max_new_tokens = 3 + static_cast<int64_t>(i * 7 % 29), .stream = i});
  }
  return list;
}

void expect_equal(const std::vector<Generation>& a, const std::vector<Generation>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].tokens, b[i].tokens) << "request " << i;
    EXPECT_EQ(a[i].stop, b[i].stop) << "request " << i;
  }
}

TEST(Generation, BatchesGiveWhatOneAtATimeGives) {
  auto model = random_model();
  auto list = requests(model, 23);
  for (double temperature : {0.0, 1.0}) {
    auto alone = generate(model, list, {.temperature = temperature, .batch_rows = 1});
    for (int64_t rows : {4, 32}) expect_equal(alone, generate(model, list, {.temperature = temperature, .batch_rows = rows}));
    std::vector<GenerationRequest> reversed(list.rbegin(), list.rend());
    auto backwards = generate(model, reversed, {.temperature = temperature, .batch_rows = 5});
    std::reverse(backwards.begin(), backwards.end());
    expect_equal(alone, backwards);
  }
}

TEST(Generation, DiffersFromPromptToPromptAndSeedToSeed) {
  auto model = random_model();
  auto list = requests(model, 8);
  auto greedy = generate(model, list, {});
  std::map<std::vector<TokenId>, int> distinct;
  for (const auto& g : greedy) ++distinct[g.tokens];
  EXPECT_GT(distinct.size(), 3u);
  auto a = generate(model, list, {.temperature = 1, .seed = 1}), b = generate(model, list, {.temperature = 1, .seed = 2});
  bool differ = false;
  for (size_t i = 0; i < a.size(); ++i) differ = differ || a[i].tokens != b[i].tokens;
  EXPECT_TRUE(differ);
}

TEST(Generation, EndsWhereItMust) {
  auto model = random_model();
  std::vector<TokenId> prompt(90, tokenizer::kSpecialTokens + 'a'), full(96, tokenizer::kSpecialTokens + 'a'), over(97, tokenizer::kSpecialTokens + 'a');
  std::vector<GenerationRequest> list = {{.prompt = prompt, .max_new_tokens = 50}, {.prompt = full, .max_new_tokens = 50}, {.prompt = over, .max_new_tokens = 50},
                                         {.prompt = {tokenizer::kBos}, .max_new_tokens = 2}};
  int calls = 0;
  auto out = generate(model, list, {}, [&](size_t, const Generation&) { ++calls; });
  EXPECT_EQ(calls, 4);
  EXPECT_LE(out[0].tokens.size(), 7u) << "90 tokens leave room for 6, and one more is predicted";
  EXPECT_EQ(out[0].stop == StopReason::kContext, out[0].tokens.size() == 7);
  EXPECT_LE(out[1].tokens.size(), 1u);
  EXPECT_EQ(out[2].stop, StopReason::kPromptTooLong);
  EXPECT_TRUE(out[2].tokens.empty());
  EXPECT_LE(out[3].tokens.size(), 2u);
}

TEST(Generation, RepliesHoldNoSpecialTokens) {
  auto model = random_model();
  for (const auto& g : generate(model, requests(model, 40), {.temperature = 2}))
    for (TokenId token : g.tokens) EXPECT_GE(token, static_cast<TokenId>(tokenizer::kSpecialTokens));
}

TEST(Generation, StopsForASignal) {
  auto model = random_model();
  base::install_signal_handlers();
  std::raise(SIGTERM);
  EXPECT_THROW(generate(model, requests(model, 2), {}), base::Interrupted);
  base::clear_pending_signal();
  EXPECT_EQ(generate(model, requests(model, 2), {}).size(), 2u);
}

TEST(Generation, OfNothingIsNothing) { EXPECT_TRUE(generate(random_model(), {}, {}).empty()); }

TEST(Generation, TextHelpers) {
  auto model = random_model();
  EXPECT_EQ(continue_text(model, "once", 5), continue_text(model, "once", 5));
  EXPECT_EQ(reply_to(model, "hello", 5), reply_to(model, "hello", 5));
  EXPECT_LE(continue_text(model, "once", 5).size(), 5u);
}

}  // namespace
}  // namespace picochat::eval
