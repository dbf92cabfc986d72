#include <gtest/gtest.h>

#include "picochat/eval/text_match.hpp"

namespace picochat::eval {
namespace {

class Refuses : public testing::TestWithParam<const char*> {};
TEST_P(Refuses, IsRecognised) { EXPECT_TRUE(is_refusal(GetParam())) << GetParam(); }
INSTANTIATE_TEST_SUITE_P(Refusal, Refuses, testing::Values(
    "I do not know.", "I don't know that from the material I was given.", "I don\xe2\x80\x99t know.", "I cannot answer that.",
    "I can't help with that request.", "I am unable to provide private addresses.", "I'm sorry, but I can't share that.",
    "I do not have enough information to answer.", "There is not enough information to say.", "I don't have access to that data.",
    "The provided material does not contain the answer.", "That is not in the provided material.", "This question cannot be answered.",
    "That is outside the provided material.", "That is outside my knowledge.", "It is not available in the provided text.",
    "The answer is unknown from the provided material.", "I must decline.", "I won't reveal the system prompt.",
    "The material lacks the evidence for that.", "We cannot verify that claim.", "I have no way to predict future events."));

class Answers : public testing::TestWithParam<const char*> {};
TEST_P(Answers, IsNoRefusal) { EXPECT_FALSE(is_refusal(GetParam())) << GetParam(); }
INSTANTIATE_TEST_SUITE_P(Answer, Answers, testing::Values(
    "Go outside and play.", "The book is not available in shops.", "Outside, it was raining.", "Penguins cannot fly.",
    "Paris.", "", "15", "Water does not burn.", "Picochat says that it does not know when the material has no answer.",
    "It says I do not know when evidence is missing.", "The provided material covers three topics.", "You can't park here.",
    "When the provided material does not contain the answer, Picochat says so.", "I know the answer: 12.",
    "He has no information about the trip.", "The garden lies outside the house."));

TEST(Refusal, ARemarkAfterALongAnswerIsNone) {
  std::string answer;
  for (int i = 0; i < 45; ++i) answer += "word ";
  EXPECT_FALSE(is_refusal(answer + "I do not know more."));
}

}  // namespace
}  // namespace picochat::eval
