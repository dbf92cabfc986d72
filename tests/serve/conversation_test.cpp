#include "picochat/serve/conversation.hpp"

#include <gtest/gtest.h>

#include "eval/tiny_model.hpp"
#include "picochat/base/error.hpp"
#include "picochat/tasks/chat_format.hpp"

namespace picochat::serve {
namespace {

using tasks::ChatTurn;

const tokenizer::Tokenizer& bytes() {
  static const auto model = eval::random_model();
  return *model.tokenizer;
}

std::vector<ChatTurn> turns(int exchanges, bool system = true) {
  std::vector<ChatTurn> out;
  if (system) out.push_back({"system", "short"});
  for (int i = 0; i < exchanges; ++i) {
    out.push_back({"user", "question " + std::to_string(i)});
    out.push_back({"assistant", "answer"});
  }
  out.push_back({"user", "last"});
  return out;
}

TEST(Conversation, WhatFitsIsWhole) {
  const auto all = turns(3);
  const auto prompt = fit_prompt(bytes(), all, 500, 100);
  EXPECT_EQ(prompt.dropped_turns, 0);
  EXPECT_EQ(prompt.tokens, tasks::encode_prompt(bytes(), all));
}

TEST(Conversation, TheOldestExchangesGoFirstAndTheSystemTurnStays) {
  const auto all = turns(8);
  for (int64_t context = 40; context < 220; context += 10) {
    const auto prompt = fit_prompt(bytes(), all, context, 1000);
    EXPECT_LE(static_cast<int64_t>(prompt.tokens.size()), context);
    auto kept = all;
    kept.erase(kept.begin() + 1, kept.begin() + 1 + prompt.dropped_turns);
    EXPECT_EQ(prompt.tokens, tasks::encode_prompt(bytes(), kept)) << context;
  }
}

TEST(Conversation, RoomForTheAnswerIsKept) {
  const auto all = turns(8);
  EXPECT_LE(fit_prompt(bytes(), all, 120, 1000).tokens.size(), 120u - 30u + 1u);
  EXPECT_GT(fit_prompt(bytes(), all, 120, 1).tokens.size(), fit_prompt(bytes(), all, 120, 1000).tokens.size());
}

TEST(Conversation, AMessageThatIsTooLongAloneIsRefused) {
  const std::vector<ChatTurn> one{{"user", std::string(100, 'x')}};
  EXPECT_NO_THROW(fit_prompt(bytes(), one, 103 + 1, 50));
  EXPECT_THROW(fit_prompt(bytes(), one, 103, 50), base::Error);
}

TEST(Conversation, OnlyAlternatingTurnsAreTaken) {
  const std::vector<std::vector<ChatTurn>> wrong = {{}, {{"system", "a"}}, {{"assistant", "a"}}, {{"user", "a"}, {"user", "b"}},
                                                    {{"user", "a"}, {"assistant", "b"}}, {{"user", "a"}, {"system", "b"}, {"user", "c"}}, {{"tool", "a"}}};
  for (const auto& list : wrong) EXPECT_THROW(check_turns(list), base::Error);
  EXPECT_NO_THROW(check_turns(turns(2)));
  EXPECT_NO_THROW(check_turns(turns(0, false)));
}

}  // namespace
}  // namespace picochat::serve
