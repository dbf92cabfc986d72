#include "picochat/tasks/rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/error.hpp"
#include "picochat/tasks/inspect.hpp"
#include "picochat/tasks/skill_groups.hpp"
#include "tasks/test_files.hpp"

namespace picochat::tasks {
namespace {

using ::testing::HasSubstr;

template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

ChatRow chat(const char* json) { return parse_chat_row(base::parse_json(json, "chat.jsonl:1"), "chat.jsonl:1"); }
EvalRow eval(const char* json) { return parse_eval_row(base::parse_json(json, "eval.jsonl:7"), "eval.jsonl:7"); }

TEST(ChatRows, SingleTurnAndMetadata) {
  ChatRow row = chat(R"({"user":"Hi","assistant":"Hello","group_id":"g","mixture_profile":"x","answerable":false})");
  EXPECT_EQ(row.turns, (std::vector<ChatTurn>{{"user", "Hi"}, {"assistant", "Hello"}}));
  EXPECT_EQ(row.category, "chat");
  EXPECT_EQ(row.group, "g");
  EXPECT_FALSE(row.answerable);
  EXPECT_EQ(row.extra["mixture_profile"], "x");
}

TEST(ChatRows, Conversations) {
  ChatRow row = chat(R"({"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"a"},)"
                     R"({"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}]})");
  ASSERT_EQ(row.turns.size(), 5u);
  EXPECT_EQ(row.user(), "a");
  EXPECT_EQ(row.assistant(), "d");
  EXPECT_EQ(chat(base::canonical(to_json(row)).c_str()).turns, row.turns);
}

TEST(ChatRows, BadRowsAreNamed) {
  EXPECT_THAT(error_of([] { chat(R"({"user":"a"})"); }), HasSubstr("'assistant' is missing"));
  EXPECT_THAT(error_of([] { chat(R"({"user":"a","assistant":"  "})"); }), HasSubstr("an empty one"));
  EXPECT_THAT(error_of([] { chat(R"({"user":1,"assistant":"b"})"); }), HasSubstr("chat.jsonl:1"));
  EXPECT_THAT(error_of([] { chat(R"({"user":"a","asistant":"b"})"); }), HasSubstr("did you mean 'assistant'"));
  EXPECT_THAT(error_of([] { chat(R"({"user":"a","assistant":"b","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})"); }),
              HasSubstr("both 'messages' and 'user'"));
  EXPECT_THAT(error_of([] { chat(R"({"messages":[{"role":"user","content":"a"}]})"); }), HasSubstr("the last message from 'assistant'"));
  EXPECT_THAT(error_of([] { chat(R"({"messages":[{"role":"assistant","content":"a"}]})"); }), HasSubstr("role 'user' at this place"));
  EXPECT_THAT(error_of([] { chat(R"({"user":"a","assistant":"b","fit_max_words":"many"})"); }), HasSubstr("max_words"));
}

TEST(EvalRows, EveryFieldAndAlias) {
  EvalRow row = eval(R"({"user":"q","must_include":["x"],"expected":"yes","must_include_any":[["a","b"]],"must_not_include":["n"],
    "eval_split":"heldout","entities":["E"],"max_words":9,"require_corpus_support":true,"answer_choice":"B","choice_labels":["A","B"],
    "final_answer":"1,200","answer_aliases":["1200","twelve hundred"],"normalized_answer_required":true,"reference":"ref","topic":"t"})");
  EXPECT_EQ(row.must_include, (std::vector<std::string>{"x", "yes"}));
  EXPECT_EQ(row.split, "heldout");
  EXPECT_EQ(row.category, "answerable");
  EXPECT_EQ(row.level, "heldout");
  EXPECT_EQ(row.reference_answer, "ref");
  EXPECT_EQ(row.required_entities, std::vector<std::string>{"E"});
  EXPECT_EQ(row.normalized_answers, (std::vector<std::string>{"1,200", "twelve hundred"}));
  EXPECT_EQ(row.extra["topic"], "t");
  EXPECT_TRUE(row.is_choice());
  EvalRow again = eval(base::canonical(to_json(row)).c_str());
  EXPECT_EQ(base::canonical(to_json(again)), base::canonical(to_json(row)));
}

TEST(EvalRows, BadRowsAreNamed) {
  EXPECT_THAT(error_of([] { eval(R"({"user":"q","choice_labels":["A","B"],"correct_choice":"C"})"); }), HasSubstr("'C'"));
  EXPECT_THAT(error_of([] { eval(R"({"user":"q","choice_labels":["A","B"]})"); }), HasSubstr("'correct_choice' is missing"));
  EXPECT_THAT(error_of([] { eval(R"({"user":"q","must_includ":["x"]})"); }), HasSubstr("did you mean 'must_include'"));
  EXPECT_THAT(error_of([] { eval(R"({"user":"q","must_include":"x"})"); }), HasSubstr("a list of strings"));
  EXPECT_THAT(error_of([] { eval(R"({"user":"q","max_words":-1})"); }), HasSubstr(">= 0"));
  EXPECT_THAT(error_of([] { eval(R"({"user":"q","min_words":9,"max_words":3})"); }), HasSubstr("no reply can satisfy"));
  EXPECT_THAT(error_of([] { eval(R"({"user":"q","level":"a","eval_level":"b"})"); }), HasSubstr("two names of one field"));
  EXPECT_THAT(error_of([] { eval(R"({"user":"q","normalized_answer_required":true})"); }), HasSubstr("normalized_answer"));
}

TEST(EvalRows, LevelIsInferred) {
  EXPECT_EQ(infer_level("smoke", "x", true), "smoke");
  EXPECT_EQ(infer_level("default", "memorization_probe", true), "memorization");
  EXPECT_EQ(infer_level("default", "weather", false), "adversarial");
  EXPECT_EQ(infer_level("default", "paraphrase", true), "transfer");
  EXPECT_EQ(infer_level("default", "domain_qa", true), "domain");
  EXPECT_EQ(infer_level("default", "anything", true), "heldout");
}

TEST(Rows, FilesAreReadWithLineNumbers) {
  TestFolder folder("rows");
  base::Path path = folder.write("chat.jsonl", "{\"user\":\"a\",\"assistant\":\"b\"}\n\n{\"user\":\"c\"}\nnot json\n{\"user\":\"\xff\",\"assistant\":\"d\"}\n");
  EXPECT_THAT(error_of([&] { read_chat_rows(path); }), HasSubstr("chat.jsonl:3"));
  RowFile<ChatRow> file = load_chat_rows(path);
  EXPECT_EQ(file.rows.size(), 1u);
  EXPECT_EQ(file.blank_lines, 1);
  ASSERT_EQ(file.issues.size(), 3u);
  EXPECT_EQ(file.issues[0].line, 3);
  EXPECT_EQ(file.issues[2].line, 5);
  EXPECT_THAT(file.issues[2].message, HasSubstr("UTF-8"));
  EXPECT_THAT(error_of([&] { read_eval_rows(folder.write("empty.jsonl", "\n")); }), HasSubstr("no rows"));
}

TEST(Rows, WrittenSortedAndReadBack) {
  ChatRow row = chat(R"({"user":"grüße","assistant":"ähm","zeta":1,"alpha":2})");
  EXPECT_EQ(to_jsonl(std::vector<ChatRow>{row}),
            "{\"alpha\":2,\"answerable\":true,\"assistant\":\"ähm\",\"category\":\"chat\",\"user\":\"grüße\",\"zeta\":1}\n");
}

TEST(Rows, FitRowFollowsTheRulesOrTheAnswer) {
  EvalRow plain = fit_row(chat(R"({"user":"2+2?","assistant":"4"})"));
  EXPECT_EQ(plain.normalized_answers, std::vector<std::string>{"4"});
  EXPECT_TRUE(plain.normalized_answer_required);
  EvalRow ruled = fit_row(chat(R"({"user":"q","assistant":"a","fit_must_include":["x"],"fit_max_words":5,"curriculum_stage":"s"})"));
  EXPECT_EQ(ruled.must_include, std::vector<std::string>{"x"});
  EXPECT_EQ(ruled.max_words, 5);
  EXPECT_FALSE(ruled.normalized_answer_required);
  EXPECT_EQ(ruled.curriculum_stage, "s");
}

TEST(Rows, AnswersAreNormalized) {
  EXPECT_EQ(normalize_answer(" The Answer: 1,234.5% !"), "the answer 1234.5%");
  EXPECT_EQ(normalize_answer("-5 degrees"), "-5 degrees");
  EXPECT_EQ(normalize_answer("b a n"), "b a n");
  EXPECT_EQ(normalize_answer("Zürich"), "zürich");
}

TEST(SkillGroups, FollowTheCategory) {
  EXPECT_EQ(skill_group("identity"), "identity");
  EXPECT_EQ(skill_group("bench_math_addition"), "math");
  EXPECT_EQ(skill_group("refusal_safety"), "refusal");
  EXPECT_EQ(skill_group("arc_easy"), "choice");
  EXPECT_EQ(skill_group("benign_lookalike"), "other");
  EXPECT_EQ(curriculum_bucket("web_search"), "domain");
  EXPECT_EQ(curriculum_bucket("arc_easy"), "skill");
  EXPECT_EQ(skill_stage("gsm8k", "l1"), "math:l1");
}

base::Json inspect_text(const TestFolder& folder, const std::string& lines, bool evals) {
  base::Path path = folder.write("x.jsonl", lines);
  return evals ? inspect_eval_rows(path) : inspect_chat_rows(path);
}

TEST(Inspect, DefectsAreNamed) {
  TestFolder folder("inspect");
  EXPECT_EQ(inspect_text(folder, "", false)["status"], "blocked");
  EXPECT_EQ(inspect_chat_rows(folder / "none.jsonl")["status"], "blocked");
  EXPECT_EQ(inspect_chat_rows(folder / "none.jsonl")["num_examples"], 0);

  std::string rows;
  for (int i = 0; i < 10; ++i) rows += R"({"user":"question number )" + std::to_string(i) + R"(","assistant":"answer"})" "\n";
  EXPECT_EQ(inspect_text(folder, rows, false)["status"], "ready");
  base::Json repeated = inspect_text(folder, rows + rows, false);
  EXPECT_EQ(repeated["status"], "caution");
  EXPECT_EQ(repeated["duplicate_user_prompts"], 10);
  EXPECT_EQ(repeated["duplicate_user_samples"][0]["first_line"], 1);

  base::Json broken = inspect_text(folder, rows + "{\"user\":\"\"}\n", false);
  EXPECT_EQ(broken["status"], "blocked");
  EXPECT_EQ(broken["issues"][0]["line"], 11);

  base::Json placeholder = inspect_text(folder, rows + R"({"user":"[replace me] with a question","assistant":"x"})" "\n", false);
  EXPECT_EQ(placeholder["status"], "blocked");
  EXPECT_EQ(placeholder["placeholder_rows"], 1);

  std::string lopsided;
  for (int i = 0; i < 39; ++i) lopsided += R"({"user":"topic )" + std::to_string(i) + R"(","assistant":"a","category":"one"})" "\n";
  lopsided += R"({"user":"other","assistant":"a","category":"two"})" "\n";
  EXPECT_THAT(inspect_text(folder, lopsided, false)["quality_warnings"][0].get<std::string>(), HasSubstr("97.5% are 'one'"));
}

TEST(Inspect, EvalNeedsRulesAndARefusal) {
  TestFolder folder("inspect-eval");
  std::string no_rules = "{\"user\":\"a\"}\n{\"user\":\"b\"}\n";
  EXPECT_EQ(inspect_text(folder, no_rules, true)["status"], "blocked");
  std::string rows;
  for (int i = 0; i < 5; ++i) rows += R"({"user":"q)" + std::to_string(i) + R"(","must_include":["x"]})" "\n";
  EXPECT_THAT(inspect_text(folder, rows, true)["summary"].get<std::string>(), HasSubstr("no unanswerable item"));
  rows += R"({"user":"unknown","answerable":false,"must_include_any":[["do not know"]]})" "\n";
  base::Json report = inspect_text(folder, rows, true);
  EXPECT_EQ(report["status"], "ready");
  EXPECT_EQ(report["unanswerable_items"], 1);
  EXPECT_EQ(report["must_include_rules"], 5);
}

TEST(Inspect, TemplatesAreNoNearDuplicates) {
  TestFolder folder("inspect-near");
  std::string template_rows, same;
  for (const char* w : {"apple", "banana", "cherry", "damson", "elder", "fig", "grape", "hazel"}) {
    template_rows += std::string(R"({"user":"Please tell me now what is the first letter of the word )") + w + R"(?","assistant":")" + w[0] + "\"}\n";
  }
  EXPECT_EQ(inspect_text(folder, template_rows, false)["near_duplicate_user_pairs"], 0);
  for (const char* end : {"", " now", " please"}) same += std::string(R"({"user":"Could you say what the capital of France is called)") + end + R"(?","assistant":"Paris"})" "\n";
  EXPECT_GT(inspect_text(folder, same, false)["near_duplicate_user_pairs"], 0);
}

}  // namespace
}  // namespace picochat::tasks
