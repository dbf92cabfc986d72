#include "picochat/tasks/skills_corpus.hpp"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "picochat/base/error.hpp"
#include "picochat/base/jsonl.hpp"
#include "picochat/base/text.hpp"
#include "tasks/skills/families.hpp"
#include "tasks/test_files.hpp"

namespace picochat::tasks {
namespace {

TEST(SkillsCorpus, NothingHeldOutAndAllOfItTrue) {
  std::set<std::string> held_words(spelling_words(Side::kEval).begin(), spelling_words(Side::kEval).end());
  std::map<std::string, int64_t> categories;
  std::map<int64_t, int64_t> hundreds;
  static const std::regex sum(R"(^(?:The sum of )?(\d+) (?:\+|plus|and) (\d+) (?:=|is) (\d+)\.$)");
  static const std::regex letters(R"(^The letters of (\w+) are ([\w ]+)\.$)");
  const std::set<std::string> known(spelling_words(Side::kTrain).begin(), spelling_words(Side::kTrain).end());
  int64_t sums = 0, spelled = 0, invented = 0;
  for_each_drill({20000, 20000, 4000}, 42, [&](std::string_view drill, std::string_view category) {
    ++categories[std::string(category)];
    std::smatch match;
    std::string text(drill);
    EXPECT_EQ(text.find('\n'), std::string::npos);
    if (std::regex_match(text, match, sum)) {
      int64_t a = std::stoll(match[1]), b = std::stoll(match[2]);
      EXPECT_EQ(a + b, std::stoll(match[3])) << text;
      Problem problem{Operation::kAdd, a, b, 0};
      EXPECT_FALSE(problem.is_held_out()) << text;
      ++hundreds[a / 100];
      ++sums;
    }
    if (std::regex_match(text, match, letters)) {
      EXPECT_EQ(base::replace_all(match[2], " ", ""), match[1]) << text;
      EXPECT_FALSE(held_words.contains(match[1])) << text;
      ++spelled;
      if (!known.contains(match[1])) ++invented;
    }
  });
  EXPECT_EQ(categories, (std::map<std::string, int64_t>{{"skills_math", 20000}, {"skills_spelling", 20000}, {"skills_choice", 4000}}));
  EXPECT_GT(sums, 2000);
  EXPECT_GT(spelled, 800);
  EXPECT_GT(invented, spelled / 3);
  for (int64_t h = 0; h < 10; ++h) EXPECT_NEAR(static_cast<double>(hundreds[h]), static_cast<double>(sums) / 10, static_cast<double>(sums) / 10 * 0.25) << h;
}

TEST(SkillsCorpus, ALetterDrillNamesTheLetterUnderWhichATextStands) {
  static const std::regex drill_form(R"(^A(: |\) |\. )(.+?)(, |; | )B\1(.+?)\3C\1(.+?)\3D\1(.+?)\. (.+), (.+), (.+), (.+)\.$)");
  int64_t found = 0;
  for_each_drill({0, 0, 6000}, 5, [&](std::string_view drill, std::string_view) {
    std::smatch match;
    const std::string text(drill);
    if (!std::regex_match(text, match, drill_form)) return;
    const std::string options[] = {match[2], match[4], match[5], match[6]};
    for (int clause = 7; clause <= 10; ++clause) {
      std::string said = match[clause];
      bool right = false;
      for (size_t i = 0; i < 4; ++i) {
        const std::string letter(1, static_cast<char>('A' + i));
        right |= said == options[i] + " is " + letter || said == letter + " is " + options[i] || said == options[i] + ": " + letter || said == "the letter of " + options[i] + " is " + letter;
      }
      EXPECT_TRUE(right) << said << " in " << text;
    }
    ++found;
  });
  EXPECT_GT(found, 2500);  // about half of the choice drills
}

TEST(SkillsCorpus, AModestCorpusHasNoDrillTwice) {
  std::set<std::string> seen;
  for_each_drill({16000, 4000, 1500}, 42, [&](std::string_view drill, std::string_view) {
    EXPECT_TRUE(seen.insert(std::string(drill)).second) << drill;
  });
}

TEST(SkillsCorpus, FactsAreToldInWordsThatNoQuestionUses) {
  std::string told;
  for_each_drill({0, 0, 0, 4000}, 42, [&](std::string_view drill, std::string_view category) {
    EXPECT_EQ(category, "skills_facts");
    EXPECT_EQ(drill.find_first_of("?{\n"), std::string_view::npos) << drill;
    told += base::cat(drill, "\n");
  });
  for (Side side : {Side::kTrain, Side::kEval})
    for (const Fact& fact : facts(side)) {
      EXPECT_NE(told.find(statement_of(fact, 0)), std::string::npos) << statement_of(fact, 0);
      for (uint64_t wording = 0; wording < 2; ++wording)
        for (Side asked : {Side::kTrain, Side::kEval}) {
          std::string question = question_of(fact, asked, wording);
          EXPECT_EQ(told.find(question.substr(0, question.size() - 1)), std::string::npos) << question;
        }
    }
}

TEST(SkillsCorpus, WritesTextOrShardsTheSameEachTime) {
  TestFolder folder("corpus");
  SkillsCorpusOptions o;
  o.out = (folder / "drills.txt").string();
  o.math_rows = o.spelling_rows = 50;
  o.choice_rows = 20;
  o.recipe_out = (folder / "recipe.json").string();
  corpus::CommandOutput out = run_skills_corpus(base::real_file_system(), o);
  std::string first = base::read_file(o.out);
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 120);
  EXPECT_EQ(out.json["total_rows"], 120);
  EXPECT_EQ(base::read_json(*o.recipe_out)["sources"][0]["path"], "drills.txt");
  EXPECT_THROW(run_skills_corpus(base::real_file_system(), o), base::Error);
  o.force = true;
  run_skills_corpus(base::real_file_system(), o);
  EXPECT_EQ(base::read_file(o.out), first);

  o.documents_dir = (folder / "documents").string();
  o.rows_per_shard = 50;
  out = run_skills_corpus(base::real_file_system(), o);
  EXPECT_EQ(out.json["num_shards"], 3);
  std::string text;
  for (int shard = 0; shard < 3; ++shard) {
    base::read_jsonl(folder.path() / "documents" / base::cat("shard-00000", shard, ".jsonl"), [&](const base::Json& row, int64_t) {
      text += row["text"].get<std::string>() + "\n";
      return true;
    });
  }
  EXPECT_EQ(text, first);
}

}  // namespace
}  // namespace picochat::tasks
