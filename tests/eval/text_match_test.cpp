#include "picochat/eval/text_match.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picochat::eval {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

TEST(MatchWords, AreLowerCasedRunsOfLettersAndDigits) {
  EXPECT_THAT(match_words("Hello, World! it's 3rd"), ElementsAre("hello", "world", "it", "s", "3rd"));
  EXPECT_THAT(match_words("Straße ÉTÉ", false), ElementsAre("straße", "été"));
  EXPECT_THAT(match_words("Hello", true), ElementsAre("Hello"));
}

TEST(MatchWords, ReadNumbersWhole) {
  EXPECT_THAT(match_words("-5"), ElementsAre("-5"));
  EXPECT_THAT(match_words("costs $1,234.50."), ElementsAre("costs", "1234.5"));
  EXPECT_THAT(match_words("15.0 and 15"), ElementsAre("15", "and", "15"));
  EXPECT_THAT(match_words("10-5"), ElementsAre("10", "5"));
  EXPECT_THAT(match_words("version 1.2.3"), ElementsAre("version", "1.2.3"));
  EXPECT_THAT(match_words("1,2,3"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(match_words("\xe2\x88\x92"  "7"), ElementsAre("-7"));  // U+2212
}

TEST(MatchWords, ScriptsWithoutSpacesGiveOneWordACharacter) {
  EXPECT_THAT(match_words("北京是首都。"), ElementsAre("北", "京", "是", "首", "都"));
}

TEST(MatchWords, KeepSignsWithTheirLetters) {
  EXPECT_THAT(match_words("हिन्दी भाषा।"), ElementsAre("हिन्दी", "भाषा"));
}

TEST(ContainsPhrase, NeedsWholeWordsInARow) {
  EXPECT_TRUE(contains_phrase("The Tiny Local language model.", "tiny local"));
  EXPECT_FALSE(contains_phrase("The tiny and local model", "tiny local"));
  EXPECT_FALSE(contains_phrase("classical", "class"));
}

TEST(ContainsPhrase, NumbersDoNotMatchPartsOfOtherNumbers) {
  EXPECT_TRUE(contains_phrase("It is 5.", "5"));
  EXPECT_FALSE(contains_phrase("It is -5.", "5"));
  EXPECT_FALSE(contains_phrase("It is 3.5", "5"));
  EXPECT_FALSE(contains_phrase("It is 15", "5"));
  EXPECT_TRUE(contains_phrase("It is 1,500", "1500"));
}

TEST(ContainsPhrase, OneWordWithAColonIsLiteral) {
  EXPECT_TRUE(contains_phrase("final\nAnswer: 5", "answer:"));
  EXPECT_FALSE(contains_phrase("my answer is 5", "answer:"));
}

TEST(ContainsPhrase, SignsAndOtherScriptsAreFoundNotPassedOver) {
  EXPECT_TRUE(contains_phrase("a + b", "+"));
  EXPECT_FALSE(contains_phrase("a b", "+"));
  EXPECT_TRUE(contains_phrase("中国的首都是北京。", "北京"));
  EXPECT_FALSE(contains_phrase("东京", "北京"));
  EXPECT_TRUE(contains_phrase("ΑΘΗΝΑ", "αθηνα"));
  EXPECT_TRUE(contains_phrase("I don\xe2\x80\x99t know", "don't know"));
}

TEST(ContainsPhrase, CaseMattersWhenAsked) {
  EXPECT_FALSE(contains_phrase("paris", "Paris", true));
  EXPECT_TRUE(contains_phrase("in Paris", "Paris", true));
}

TEST(PromptEcho, FindsRoleLabelsAndTheRepeatedPrompt) {
  EXPECT_THAT(prompt_echo_reasons("What is two plus two?", "4\nUser: and three?"), ElementsAre("chat_role_label"));
  EXPECT_THAT(prompt_echo_reasons("What is two plus two?", "what is TWO plus two"), ElementsAre("starts_with_user_prompt"));
  EXPECT_THAT(prompt_echo_reasons("What is two plus two?", "User what is two plus two?"), ElementsAre("starts_with_user_prompt"));
  EXPECT_THAT(prompt_echo_reasons("What is two plus two?", "Two plus two is four."), IsEmpty());
  EXPECT_THAT(prompt_echo_reasons("Hi there", "Hi there"), IsEmpty()) << "too short to tell";
  EXPECT_THAT(prompt_echo_reasons("What is two plus two?", ""), IsEmpty());
}

TEST(PromptEcho, ATranscriptMayBeAnsweredInKind) {
  EXPECT_THAT(prompt_echo_reasons("Continue:\nUser: hello\nAssistant: hi", "User: how are you?"), IsEmpty());
}

TEST(AnswerCandidates, TakeTheMarkedLine) {
  EXPECT_THAT(answer_candidates("Scratchpad:\n- Result: 14.\nFinal answer: 15"), Contains("15"));
  EXPECT_THAT(answer_candidates("Scratchpad:\n- Result: 14.\nFinal answer: 15"), Not(Contains("14")));
  EXPECT_THAT(answer_candidates("The answer = 1,200 euros"), Contains("1200"));
  EXPECT_THAT(answer_candidates("The answer is B"), Contains("b"));
}

TEST(AnswerCandidates, EarlierLinesAreNoAnswers) {
  EXPECT_THAT(answer_candidates("5\n7\n9"), Not(Contains("5")));
  EXPECT_THAT(answer_candidates("5\n7\n9"), Contains("9"));
}

TEST(Overlap, TokenF1AndRougeL) {
  // reply a b c, reference b c d e: two shared words of 3 and 4.
  EXPECT_NEAR(token_f1("a b c", "b c d e"), 4.0 / 7, 1e-12);
  EXPECT_NEAR(rouge_l_f1("c b a", "a b c"), 2.0 / 6, 1e-12);
  EXPECT_EQ(token_f1("", "a"), 0);
  EXPECT_EQ(rouge_l_f1("a b c", "a b c"), 1);
}

TEST(Repetition, CountsTrigramsSeenBefore) {
  EXPECT_EQ(repetition_ngram_rate("a b c d e"), 0);
  EXPECT_NEAR(repetition_ngram_rate("a b a b a b"), 0.5, 1e-12);  // aba bab aba bab
}

TEST(ContentWords, LeaveOutStopWordsAndShortOnes) {
  EXPECT_THAT(content_words("The model is a tiny model of it"), ElementsAre("model", "tiny"));
}

TEST(CountWords, AsAPersonCounts) {
  EXPECT_EQ(count_words("  it's  three words\n"), 3);
  EXPECT_EQ(count_words(""), 0);
}

TEST(Matching, InvalidUtf8IsASeparator) {
  EXPECT_THAT(match_words("a\xff\xfe" "b"), ElementsAre("a", "b"));
  EXPECT_TRUE(contains_phrase("yes\xff", "yes"));
}

}  // namespace
}  // namespace picochat::eval
