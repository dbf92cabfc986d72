#include "tasks/choice_letters.hpp"

#include <gmock/gmock.h>

#include "picochat/tasks/inspect.hpp"
#include "picochat/tasks/task_pack.hpp"

namespace picochat::tasks {
namespace {

using base::Json;
using ::testing::HasSubstr;

std::vector<std::string> texts(std::string_view prompt) {
  std::vector<std::string> out;
  for (const Option& option : options_of(prompt)) out.push_back(option.letter + "=" + option.text);
  return out;
}

TEST(ChoiceLetters, OptionsInEveryLayout) {
  const std::vector<std::string> two{"A=red", "B=blue sky"};
  for (const char* prompt : {"Which?\nA. red\nB. blue sky\nAnswer.", "Which?\n(A) red\n(B) blue sky", "Which?\n[A] red\n[B] blue sky", "Which?\nA = red\nB = blue sky",
                             "Which?\nA: red\nB: blue sky", "Which? / A) red / B) blue sky / Name it.", "Pick.\nWhich?\nA - red\nB - blue sky", "Which?\nA=red\nB=blue sky"})
    EXPECT_EQ(texts(prompt), two) << prompt;
  EXPECT_TRUE(options_of("A day in May. B is a letter.").empty());
  EXPECT_TRUE(options_of("").empty());
}

ChatRow chat(const std::string& prompt, const std::string& answer, Json extra = Json::object()) {
  ChatRow row;
  row.turns = {{"user", prompt}, {"assistant", answer}};
  row.category = "bench_choice_world";
  row.extra = std::move(extra);
  row.line = 7;
  return row;
}

TEST(ChoiceLetters, FindsLettersThatAreNotThereAndLettersOfAnotherOption) {
  const std::string prompt = "Capital of France?\nA. Rome\nB. Paris";
  EXPECT_TRUE(check_letters(std::vector{chat(prompt, "B", {{"answer_text", "Paris"}})}).wrong.empty());
  EXPECT_TRUE(check_letters(std::vector{chat(prompt, "(B).")}).wrong.empty());
  EXPECT_THAT(check_letters(std::vector{chat(prompt, "E")}).wrong.at(0).message, HasSubstr("the options are A to B"));
  const auto other = check_letters(std::vector{chat(prompt, "A", {{"answer_text", "Paris"}})}).wrong;
  ASSERT_EQ(other.size(), 1u);
  EXPECT_EQ(other[0].line, 7);
  EXPECT_THAT(other[0].message, HasSubstr("letter A is 'Rome'"));
  EXPECT_THAT(other[0].message, HasSubstr("letter B"));
  EXPECT_EQ(check_letters(std::vector{chat("Who are you?", "I am Picochat.")}).rows, 0);
}

TEST(ChoiceLetters, AFavouredLetterIsNamed) {
  std::vector<ChatRow> rows;
  for (int i = 0; i < 40; ++i) rows.push_back(chat("Q?\nA. x\nB. y", i % 4 ? "A" : "B"));
  EXPECT_EQ(check_letters(rows).favoured(), "A");
  rows.resize(39);
  EXPECT_EQ(check_letters(rows).favoured(), "");
}

TEST(ChoiceLetters, GeneratedPacksHaveNone) {
  const GeneratedPack pack = generate_pack("benchmark", 400, 100, "direct", 5);
  const auto sft = check_letters(pack.chat), eval = check_letters(pack.eval);
  EXPECT_EQ(sft.rows, 136);
  EXPECT_EQ(eval.rows, 34);
  EXPECT_TRUE(sft.wrong.empty() && eval.wrong.empty());
}

}  // namespace
}  // namespace picochat::tasks
