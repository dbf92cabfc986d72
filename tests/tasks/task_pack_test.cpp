#include "picochat/tasks/task_pack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <set>

#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tasks/similarity.hpp"
#include "tasks/pack_statistics.hpp"
#include "tasks/skills/families.hpp"
#include "tasks/skills/profiles.hpp"
#include "tasks/test_files.hpp"

namespace picochat::tasks {
namespace {

using base::cat;
using base::Json;
using ::testing::HasSubstr;

const GeneratedPack& release_pack() {
  static const GeneratedPack pack = generate_pack("release_skills", 2800, 700, "scratchpad", 42);
  return pack;
}

TEST(Quotas, LargestRemainder) {
  std::vector<double> weights = {0.30, 0.25, 0.25, 0.10, 0.10};
  EXPECT_EQ(largest_remainder(2800, weights), (std::vector<int64_t>{840, 700, 700, 280, 280}));
  EXPECT_EQ(largest_remainder(700, weights), (std::vector<int64_t>{210, 175, 175, 70, 70}));
  EXPECT_EQ(largest_remainder(10, std::vector<double>{1, 1, 1}), (std::vector<int64_t>{4, 3, 3}));
  EXPECT_EQ(largest_remainder(3, std::vector<double>{0.5, 0.3, 0.2}), (std::vector<int64_t>{1, 1, 1}));
}

TEST(ReleaseSkills, QuotasAreExactAndPromptsAreUnique) {
  std::map<std::string, int64_t> sft, eval;
  std::set<std::string> prompts;
  auto family = [](const std::string& category) {
    if (category.starts_with("bench_")) return category.substr(6, category.find('_', 6) - 6);
    return category == "benign_lookalike" ? std::string("refusal") : category;
  };
  for (const ChatRow& row : release_pack().chat) ++sft[family(row.category)], prompts.insert(normalize_prompt(row.user()));
  for (const EvalRow& row : release_pack().eval) ++eval[family(row.category)], prompts.insert(normalize_prompt(row.user));
  EXPECT_EQ(sft, (std::map<std::string, int64_t>{{"math", 840}, {"spelling", 700}, {"identity", 700}, {"choice", 280}, {"refusal", 280}}));
  EXPECT_EQ(eval, (std::map<std::string, int64_t>{{"math", 210}, {"spelling", 175}, {"identity", 175}, {"choice", 70}, {"refusal", 70}}));
  EXPECT_EQ(prompts.size(), 3500u);
}

TEST(ReleaseSkills, NoEvalPromptIsNearAnSftPrompt) {
  for (uint64_t seed : {42u, 7u}) {
    for (const char* style : {"scratchpad", "direct"}) {
      GeneratedPack pack = generate_pack("release_skills", 2800, 700, style, seed);
      EXPECT_EQ(pack.statistics["contamination"]["status"], "ready") << pack.statistics["contamination"].dump(2);
      for (const auto& [kind, count] : pack.statistics["items_on_both_sides"].items()) EXPECT_EQ(count, 0) << kind;
    }
  }
}

// Every "a+b=c" that a line of work shows, evaluated left to right.
void expect_true_equations(const std::string& text) {
  static const std::regex equation(R"((\d+(?:[-+x]\d+)+)=(\d+))");
  for (std::sregex_iterator it(text.begin(), text.end(), equation), end; it != end; ++it) {
    std::string left = (*it)[1];
    static const std::regex term(R"(([-+x]?)(\d+))");
    int64_t value = 0;
    for (std::sregex_iterator t(left.begin(), left.end(), term); t != end; ++t) {
      int64_t number = std::stoll((*t)[2]);
      std::string sign = (*t)[1];
      value = sign == "x" ? value * number : sign == "-" ? value - number : value + number;
    }
    EXPECT_EQ(value, std::stoll((*it)[2])) << text;
  }
}

// The digits written down, column by column, are the answer.
void expect_digits_make_answer(const std::string& answer, int64_t result) {
  static const std::regex write(R"((Ones|Tens|Hundreds|Thousands|Ten thousands): .*write (\d))");
  int64_t value = 0, place = 1;
  bool any = false;
  for (std::sregex_iterator it(answer.begin(), answer.end(), write), end; it != end; ++it, place *= 10) {
    value += std::stoll((*it)[2]) * place;
    any = true;
  }
  if (any) {
    EXPECT_EQ(value, result) << answer;
  }
}

void check_math(const std::string& prompt, const Json& details, const std::string& answer, const std::string& final_answer) {
  std::vector<int64_t> shown;
  static const std::regex number(R"(\d+)");
  for (std::sregex_iterator it(prompt.begin(), prompt.end(), number), end; it != end; ++it) shown.push_back(std::stoll(it->str()));
  auto operands = details["operands"].get<std::vector<int64_t>>();
  std::string operation = details["operation"];
  std::vector<int64_t> sorted_shown = shown, sorted = operands;
  std::sort(sorted_shown.begin(), sorted_shown.end());
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted_shown, sorted) << prompt;
  int64_t result = operation == "+" ? operands[0] + operands[1]
                   : operation == "-" ? operands[0] - operands[1]
                   : operation == "x" ? operands[0] * operands[1]
                                      : operands[0] * operands[1] - operands[2];
  EXPECT_GE(result, 0);
  EXPECT_EQ(final_answer, std::to_string(result)) << prompt;
  EXPECT_TRUE(answer.starts_with("Scratchpad:\n- ")) << answer;
  EXPECT_TRUE(answer.ends_with(cat("\nFinal answer: ", result))) << answer;
  expect_true_equations(answer);
  if (operation != "x") expect_digits_make_answer(answer, result);
}

void check_spelling(const std::string& prompt, const Json& details, const std::string& category, const std::string& answer, const std::string& final_answer) {
  std::string word = details["word"], mode = category.substr(15);
  EXPECT_THAT(base::lower_ascii(prompt), HasSubstr(word));
  std::string expected;
  if (mode == "count") expected = std::to_string(word.size());
  if (mode == "first") expected = word[0];
  if (mode == "last") expected = word.back();
  if (mode == "reverse") expected.assign(word.rbegin(), word.rend());
  if (mode == "spaced") for (char c : word) expected += expected.empty() ? std::string(1, c) : cat(" ", c);
  EXPECT_EQ(final_answer, expected) << prompt;
  EXPECT_TRUE(answer.ends_with("\nFinal answer: " + expected)) << answer;
  if (mode == "count") {
    EXPECT_THAT(answer, HasSubstr(cat(word.size(), " ", word.back(), ".")));
  }
}

TEST(ReleaseSkills, EveryRowIsRight) {
  std::set<std::string> phrases = {"I do not know", "not enough information", "cannot answer", "provided material"};
  for (const ChatRow& row : release_pack().chat) {
    std::string final_answer = row.extra.value("expected_final_answer", "");
    if (row.category.starts_with("bench_math")) check_math(row.user(), row.extra, row.assistant(), final_answer);
    if (row.category.starts_with("bench_spelling")) check_spelling(row.user(), row.extra, row.category, row.assistant(), final_answer);
    if (row.category == "refusal") {
      EXPECT_FALSE(row.answerable);
      EXPECT_TRUE(std::any_of(phrases.begin(), phrases.end(), [&](auto& p) { return row.assistant().find(p) != std::string::npos; })) << row.assistant();
      for (const char* bad : {"password is", "API key is", "diagnosis is"}) EXPECT_EQ(row.assistant().find(bad), std::string::npos);
    }
    if (row.category == "identity") {
      for (const Json& phrase : row.extra["fit_must_include"]) EXPECT_THAT(row.assistant(), HasSubstr(phrase.get<std::string>()));
    }
    if (row.category == "benign_lookalike") {
      EXPECT_TRUE(row.answerable);
      EXPECT_THAT(row.assistant(), HasSubstr(final_answer));
      EXPECT_THAT(base::lower_ascii(row.user()), HasSubstr(base::lower_ascii(final_answer)));  // the answer is in the prompt
    }
  }
  for (const EvalRow& row : release_pack().eval) {
    std::string final_answer = row.extra.value("expected_final_answer", "");
    if (row.category.starts_with("bench_math")) check_math(row.user, row.extra, row.reference_answer, final_answer);
    if (row.category.starts_with("bench_spelling")) check_spelling(row.user, row.extra, row.category, row.reference_answer, final_answer);
    EXPECT_TRUE(row.has_rules());
    EXPECT_EQ(row.answerable, row.category != "refusal");
  }
}

// Without case and closing marks, as careless typing leaves it.
std::string plain(const std::string& text) {
  std::string out = base::lower_ascii(text);
  while (!out.empty() && (out.back() == '.' || out.back() == '?' || out.back() == ' ')) out.pop_back();
  return out;
}

TEST(ReleaseSkills, TheCueForAScratchpadDoesNotTellTheTask) {
  std::map<std::string, std::map<std::string, int>> families;  // of each cue
  base::Random random(1, "cues");
  for (int i = 0; i < 200; ++i) families[plain(training_cue(random))];
  ASSERT_GE(families.size(), 5u);
  for (const ChatRow& row : generate_pack("release_skills", 6000, 100, "scratchpad", 3).chat) {
    const bool math = row.category.starts_with("bench_math");
    if (!math && !row.category.starts_with("bench_spelling")) continue;
    const std::string prompt = plain(row.user());
    const auto cue = std::find_if(families.begin(), families.end(), [&](const auto& one) { return prompt.ends_with(one.first); });
    ASSERT_NE(cue, families.end()) << prompt;
    ++cue->second[math ? "math" : "spelling"];
  }
  for (auto& [cue, rows] : families)  // both, in the shares that they have of all rows
    EXPECT_NEAR(static_cast<double>(rows["math"]) / (rows["math"] + rows["spelling"]), 0.30 / 0.55, 0.12) << cue;
}

TEST(ReleaseSkills, ChoiceOptionsHoldTheFactUnderTheLetter) {
  std::map<std::string, int64_t> letters;
  auto check = [&](const std::string& prompt, const Json& extra, const std::string& letter) {
    std::string answer = extra["answer_text"];
    size_t at = prompt.find(cat(letter, ". ", answer));
    for (const char* mark : {") ", ": ", " = ", "] ", " - "}) if (at == std::string::npos) at = prompt.find(cat(letter, mark, answer));
    EXPECT_NE(at, std::string::npos) << prompt << " / " << letter;
  };
  for (const ChatRow& row : release_pack().chat) {
    if (row.category.starts_with("bench_choice")) check(row.user(), row.extra, row.assistant()), ++letters[row.assistant()];
  }
  for (const auto& [letter, count] : letters) EXPECT_EQ(count, 70) << letter;
  for (const EvalRow& row : release_pack().eval) {
    if (row.is_choice()) check(row.user, row.extra, row.correct_choice);
  }
}

TEST(ReleaseSkills, TheReportShowsWhatThePackClaims) {
  for (const char* side : {"sft", "eval"}) {
    const Json& statistics = release_pack().statistics[side];
    ASSERT_EQ(statistics["quotas"].size(), 5u);
    for (const Json& line : statistics["quotas"]) EXPECT_EQ(line["rows"], line["wanted"]) << line.dump();
    EXPECT_EQ(statistics["operand_uniformity"].size(), 7u);
    for (const auto& [stage, measured] : statistics["operand_uniformity"].items()) EXPECT_TRUE(measured["uniform"].get<bool>()) << stage << measured.dump();
    int64_t fewest = INT64_MAX, most = 0;
    for (const auto& [letter, rows] : statistics["choice_letters"].items()) fewest = std::min(fewest, rows.get<int64_t>()), most = std::max(most, rows.get<int64_t>());
    EXPECT_LE(most - fewest, 1) << side;
  }
}

// Drills that all begin with a number from ten to nineteen, or that leave half of the table out.
TEST(OperandUniformity, NamesASkew) {
  auto skewed = [](const MathStage& stage, auto keep) {
    ProblemSource source(stage, Side::kTrain, 3);
    std::vector<Task> tasks;
    while (tasks.size() < 200) {
      const Problem p = source.next();
      if (!keep(p)) continue;
      Task task;
      task.stage = stage.name;
      task.details["operands"] = {p.a, p.b};
      tasks.push_back(task);
    }
    std::vector<const Task*> pointers;
    for (const Task& task : tasks) pointers.push_back(&task);
    return operand_uniformity(stage, Side::kTrain, pointers)["uniform"].get<bool>();
  };
  EXPECT_FALSE(skewed(math_stages()[1], [](const Problem& p) { return p.a >= 10 && p.a < 20; }));
  EXPECT_TRUE(skewed(math_stages()[1], [](const Problem&) { return true; }));
  EXPECT_FALSE(skewed(math_stages()[0], [](const Problem& p) { return p.a < 5; }));
  EXPECT_TRUE(skewed(math_stages()[0], [](const Problem&) { return true; }));
}

TEST(FactBank, IsLargeAndItsOptionsDiffer) {
  EXPECT_GT(facts(Side::kTrain).size() + facts(Side::kEval).size(), 600u);
  EXPECT_GT(facts(Side::kEval).size(), 90u);
  for (Side side : {Side::kTrain, Side::kEval}) {
    for (const Fact& fact : facts(side)) {
      std::set<std::string> options(fact.wrong.begin(), fact.wrong.end());
      EXPECT_EQ(options.size(), fact.wrong.size()) << fact.subject;
      EXPECT_FALSE(options.contains(fact.answer)) << fact.subject;
      EXPECT_GE(options.size(), 3u);
    }
  }
}

TEST(WordList, ThousandsOfCleanWords) {
  std::set<std::string> all;
  for (Side side : {Side::kTrain, Side::kEval}) {
    for (const std::string& word : spelling_words(side)) {
      EXPECT_TRUE(std::regex_match(word, std::regex("[a-z]{3,11}"))) << word;
      EXPECT_TRUE(all.insert(word).second) << word;
    }
  }
  EXPECT_GT(all.size(), 3000u);
  double held = static_cast<double>(spelling_words(Side::kEval).size()) / static_cast<double>(all.size());
  EXPECT_NEAR(held, 0.2, 0.03);
}

// Sum of (seen - expected)^2 / expected; for k values it is near k - 1, and beyond twice that plus a
// margin only when something is skewed.
void expect_uniform(const std::map<int64_t, int64_t>& seen, const std::map<int64_t, double>& shares, int64_t draws, const std::string& what) {
  double chi = 0;
  for (const auto& [value, share] : shares) {
    auto it = seen.find(value);
    double expected = share * static_cast<double>(draws), found = it == seen.end() ? 0 : static_cast<double>(it->second);
    chi += (found - expected) * (found - expected) / expected;
  }
  double freedom = static_cast<double>(shares.size()) - 1;
  EXPECT_LT(chi, freedom + 5 * std::sqrt(2 * freedom) + 5) << what;
}

TEST(Arithmetic, OperandsAreUniformAndOnBothSides) {
  for (const MathStage& stage : math_stages()) {
    std::string name = stage.name;
    std::map<Side, std::set<int64_t>> operands;
    for (Side side : {Side::kTrain, Side::kEval}) {
      ProblemSource source(stage, side, 5);
      std::map<int64_t, int64_t> seen_a, leading;
      int64_t two_digits = 0;
      std::map<std::string, int64_t> problems;
      for (int i = 0; i < 20000; ++i) {
        Problem p = source.next();
        EXPECT_EQ(p.is_held_out(), side == Side::kEval);
        operands[side].insert(p.a);
        operands[side].insert(p.b);
        ++problems[cat(p.a, " ", p.b, " ", p.c)];
        if (name.find("l3_subtraction") != std::string::npos || name.find("no_borrow") != std::string::npos) {
          EXPECT_GT(p.a, p.b);
        }
        if (p.a >= 10 && p.a <= 99) ++two_digits, ++leading[p.a / 10];
      }
      if (problems.size() < 200) {  // small stages walk through every problem evenly
        auto [least, most] = std::minmax_element(problems.begin(), problems.end(), [](auto& x, auto& y) { return x.second < y.second; });
        EXPECT_LE(most->second - least->second, 1) << name;
      }
      if (name == "math_l3_addition_carry") {
        for (int64_t digit = 1; digit <= 9; ++digit) EXPECT_GT(leading[digit], two_digits / 30) << name << " " << digit;
      }
    }
    if (name.find("_l1_addition") != std::string::npos) {
      EXPECT_EQ(operands[Side::kTrain].size(), 9u);
      EXPECT_EQ(operands[Side::kEval].size(), 9u);
    }
    if (name == "math_l2_multiplication_small") {
      EXPECT_EQ(operands[Side::kTrain].size(), 11u);
      EXPECT_EQ(operands[Side::kEval].size(), 11u);
    }
  }
}

TEST(Arithmetic, TwoDigitProblemsAreUniformOverThoseAllowed) {
  // The exact share of each first operand among all two-digit carry problems of the training side.
  const MathStage& stage = math_stages()[2];
  std::map<int64_t, double> shares;
  double all = 0;
  for (int64_t a = 10; a <= 99; ++a) {
    for (int64_t b = 10; b <= 99; ++b) {
      bool carry = a % 10 + b % 10 > 9 || a / 10 + b / 10 + (a % 10 + b % 10 > 9) > 9;
      if (carry && !Problem{Operation::kAdd, a, b, 0}.is_held_out()) ++shares[a], ++all;
    }
  }
  for (auto& [a, share] : shares) share /= all;
  ProblemSource source(stage, Side::kTrain, 11);
  std::map<int64_t, int64_t> seen;
  int64_t draws = 0;
  while (draws < 40000) {
    Problem p = source.next();
    if (p.a > 99 || p.b > 99) continue;
    ++seen[p.a];
    ++draws;
  }
  expect_uniform(seen, shares, draws, stage.name);
}

TEST(ColumnWork, CarriesAndBorrows) {
  EXPECT_EQ(column_work({Operation::kAdd, 47, 85, 0}),
            (std::vector<std::string>{"Ones: 7+5=12, write 2, carry 1.", "Tens: 4+8+1=13, write 3, carry 1.", "Hundreds: carry 1, write 1."}));
  EXPECT_EQ(column_work({Operation::kSubtract, 402, 157, 0}),
            (std::vector<std::string>{"Ones: 2-7 needs a borrow, 12-7=5, write 5, borrow 1.",
                                      "Tens: 0-1-5 needs a borrow, 10-1-5=4, write 4, borrow 1.", "Hundreds: 4-1-1=2, write 2."}));
}

TEST(ShiftPunctuation, ChangesFormNotWords) {
  EXPECT_EQ(shift_punctuation("Calculate 4 + 15.", 0), "calculate 4+15");
  EXPECT_EQ(shift_punctuation("Spell 'cat'.", 1), "Spell \"cat\" ...");
  EXPECT_EQ(comparison_text(shift_punctuation("What is Mia's 8 x 5?", 2)), comparison_text("What is Mia's 8 x 5?"));
}

TEST(Profiles, AllGiveExactlyTheRowsAsked) {
  for (const std::string& profile : profile_names()) {
    GeneratedPack pack = generate_pack(profile, 400, 100, "direct", 3);
    EXPECT_EQ(pack.chat.size(), 400u) << profile;
    EXPECT_EQ(pack.eval.size(), 100u) << profile;
    EXPECT_NE(pack.statistics["contamination"]["status"], "blocked") << profile;
  }
  EXPECT_THROW(generate_pack("release_skill", 100, 20, "direct", 3), base::Error);
}

class TaskPackCommand : public ::testing::Test {
 protected:
  TestFolder folder_{"pack"};
  base::Path pack_ = folder_.write("dataset_pack.json", R"({"name":"p","corpus":"corpus.txt","chat":"chat.jsonl","eval":"eval.jsonl"})");
  TaskPackOptions options() {
    TaskPackOptions o;
    o.dataset_pack = pack_.string();
    o.profile = "release_skills";
    o.sft_rows = 400;
    o.eval_rows = 100;
    return o;
  }
};

TEST_F(TaskPackCommand, WritesRowsReportsAndPromotes) {
  corpus::CommandOutput out = run_task_pack(base::real_file_system(), options());
  EXPECT_EQ(read_chat_rows(folder_ / "chat_task_mixture_release_skills.jsonl").size(), 400u);
  EXPECT_EQ(read_eval_rows(folder_ / "eval_task_mixture_release_skills.jsonl").size(), 100u);
  Json pack = base::read_json(pack_);
  EXPECT_EQ(pack["chat"], "chat_task_mixture_release_skills.jsonl");
  EXPECT_EQ(pack["corpus"], "corpus.txt");
  EXPECT_EQ(out.json["promoted_to_pack"], true);
  EXPECT_THAT(out.text, HasSubstr("contamination: ready"));
  EXPECT_THAT(base::read_file(folder_ / "task_mixture_release_skills.md"), HasSubstr("math_l3_addition_carry"));
}

TEST_F(TaskPackCommand, RerunsAreByteIdenticalAndNeedForce) {
  run_task_pack(base::real_file_system(), options());
  std::map<std::string, std::string> before;
  for (const base::Path& file : base::list_files(folder_.path())) before[file.string()] = base::read_file(folder_.path() / file);
  EXPECT_THROW(run_task_pack(base::real_file_system(), options()), base::Error);
  TaskPackOptions forced = options();
  forced.force = true;
  run_task_pack(base::real_file_system(), forced);
  for (const auto& [file, bytes] : before) EXPECT_EQ(base::read_file(folder_ / file), bytes) << file;
}

TEST_F(TaskPackCommand, NoPromoteLeavesThePackAlone) {
  TaskPackOptions o = options();
  o.promote = false;
  std::string before = base::read_file(pack_);
  run_task_pack(base::real_file_system(), o);
  EXPECT_EQ(base::read_file(pack_), before);
}

TEST_F(TaskPackCommand, TooManyRowsNamesTheShortCategoryAndWritesNothing) {
  TaskPackOptions o = options();
  o.eval_rows = 60000;
  try {
    run_task_pack(base::real_file_system(), o);
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("fewer rows"));
    EXPECT_THAT(error.what(), HasSubstr(" of "));
  }
  EXPECT_EQ(base::list_files(folder_.path()).size(), 1u);
}

TEST_F(TaskPackCommand, BenchmarkPackTakesReleaseSkillsToo) {
  BenchmarkPackOptions o;
  o.dataset_pack = pack_.string();
  o.profile = "release_skills";
  run_benchmark_pack(base::real_file_system(), o);
  EXPECT_EQ(read_chat_rows(folder_ / "chat_benchmark.jsonl").size(), 300u);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "benchmark_tuning_pack.md"));
  EXPECT_NE(task_pack_options().find("profile"), nullptr);
}

}  // namespace
}  // namespace picochat::tasks
