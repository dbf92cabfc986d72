// Packs by category, and starter rows that do not leak into each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/pack.hpp"
#include "picochat/tasks/inspect.hpp"
#include "picochat/tasks/similarity.hpp"
#include "picochat/tasks/slice_pack.hpp"
#include "picochat/tasks/starters.hpp"
#include "picochat/tasks/task_pack.hpp"
#include "tasks/test_files.hpp"

namespace picochat::tasks {
namespace {

using ::testing::HasSubstr;

base::FileSystem& files() { return base::real_file_system(); }

std::string make_pack(const TestFolder& folder) {
  folder.write("text/a.txt", "some text");
  corpus::init_pack(files(), {.name = "whole", .corpus = (folder / "text").string(), .out = (folder / "pack").string()});
  const std::string pack = (folder / "pack/dataset_pack.json").string();
  run_task_pack(files(), {.dataset_pack = pack, .sft_rows = 200, .eval_rows = 100, .profile = "release_skills"});
  return pack;
}

template <typename Action>
std::string error_of(Action action) {
  try {
    action();
    return "nothing was thrown";
  } catch (const base::Error& error) {
    return error.what();
  }
}

TEST(SlicePack, TakesTheRowsOfTheCategoriesAndStaysAPack) {
  TestFolder folder("slice");
  const std::string pack = make_pack(folder);
  const auto output = run_slice_pack(files(), {.dataset_pack = pack, .out_dir = (folder / "slices/math").string(), .include_categories = "bench_math_*, identity", .exclude_categories = "*_removal"});
  const auto slice = corpus::load_pack(folder / "slices/math/dataset_pack.json");
  EXPECT_EQ(slice.name, "whole-slice");
  corpus::check_pack_files(slice);  // the corpus is found from the new folder
  std::set<std::string> categories;
  for (const auto& row : read_chat_rows(slice.chat)) categories.insert(row.category);
  for (const auto& row : read_eval_rows(slice.eval)) categories.insert(row.category);
  EXPECT_TRUE(categories.contains("identity"));
  EXPECT_TRUE(categories.contains("bench_math_addition"));
  for (const auto& category : categories) EXPECT_TRUE(category == "identity" || (category.starts_with("bench_math_") && !category.ends_with("_removal"))) << category;
  EXPECT_EQ(output.json["chat_rows"].get<size_t>(), read_chat_rows(slice.chat).size());
}

TEST(SlicePack, RefusesWhatWouldBeEmptyOrOverwritten) {
  TestFolder folder("slice-errors");
  const std::string pack = make_pack(folder);
  const std::string out = (folder / "out").string();
  EXPECT_THAT(error_of([&] { run_slice_pack(files(), {.dataset_pack = pack, .out_dir = out}); }), HasSubstr("no category is chosen"));
  EXPECT_THAT(error_of([&] { run_slice_pack(files(), {.dataset_pack = pack, .out_dir = out, .include_categories = "Identity"}); }), HasSubstr("identity ("));
  EXPECT_FALSE(std::filesystem::exists(out));
  run_slice_pack(files(), {.dataset_pack = pack, .out_dir = out, .include_categories = "identity"});
  EXPECT_THAT(error_of([&] { run_slice_pack(files(), {.dataset_pack = pack, .out_dir = out, .include_categories = "identity"}); }), HasSubstr("--force"));
}

TEST(StagePack, WritesASliceForEachStage) {
  TestFolder folder("stage");
  const std::string pack = make_pack(folder);
  const auto output = run_stage_pack(files(), {.dataset_pack = pack, .out_dir = (folder / "stages").string()});
  ASSERT_EQ(output.json["stages"].size(), 5u);
  for (const char* stage : {"behavior", "choice", "math", "spelling", "skills"}) corpus::check_pack_files(corpus::load_pack(folder / base::cat("stages/", stage, "/dataset_pack.json")));
  for (const auto& row : read_chat_rows(folder / "stages/behavior/chat_slice.jsonl")) EXPECT_TRUE(row.category == "identity" || row.category == "refusal") << row.category;
  EXPECT_THAT(error_of([&] { run_stage_pack(files(), {.dataset_pack = pack, .out_dir = (folder / "x").string(), .stages = "maths"}); }), HasSubstr("did you mean \"math\""));
}

std::string long_corpus(int documents) {
  static const char* const kNouns[] = {"granite", "harvest", "lantern", "meadow", "orchard", "pebble", "quarry", "saddle", "timber", "valley", "willow", "anchor", "basket"};
  std::string rows;
  for (int i = 0; i < documents; ++i) {
    std::string text;
    for (int k = 0; k < 4; ++k)
      text += base::cat("The ", kNouns[(i + k) % 13], " near the ", kNouns[(i * 3 + k) % 13], " was ", kNouns[(i * 5 + 2 * k) % 13], " coloured when visitor number", std::string(1, static_cast<char>('a' + i % 26)),
                        std::string(1, static_cast<char>('a' + k)), " arrived during winter. ");
    rows += base::cat("{\"text\":\"", text, "\"}\n");
  }
  return rows;
}

TEST(Starters, QuestionsAndLessonsShareNoSentenceAndNoPrompt) {
  TestFolder folder("starters");
  for (int documents : {5, 200}) {
    const std::string input = folder.write("corpus.jsonl", long_corpus(documents)).string();
    for (int64_t seed : {1, 42}) {
      run_eval_starter(files(), {.input = input, .out = (folder / "eval.jsonl").string(), .max_items = 24, .seed = seed, .force = true});
      run_sft_starter(files(), {.input = input, .out = (folder / "sft.jsonl").string(), .max_items = 32, .seed = 42, .force = true});
      const auto questions = read_eval_rows(folder / "eval.jsonl");
      const auto lessons = read_chat_rows(folder / "sft.jsonl");
      EXPECT_GE(questions.size(), documents == 200 ? 24u : 6u);
      EXPECT_LE(questions.size(), 24u);
      EXPECT_GE(lessons.size(), documents == 200 ? 32u : 8u);
      std::vector<std::string> prompts, asked;
      for (const auto& lesson : lessons) prompts.push_back(comparison_text(lesson.user()));
      for (const auto& question : questions) {
        asked.push_back(comparison_text(question.user));
        EXPECT_TRUE(question.has_rules()) << question.user;
        for (const auto& lesson : lessons) EXPECT_NE(question.reference_answer, lesson.assistant());
        for (const auto& phrase : question.must_include) EXPECT_EQ(comparison_text(question.user).find(phrase), std::string::npos) << "an echo would pass: " << question.user;
      }
      EXPECT_TRUE(near_pairs(asked, prompts, 0.86).empty());
      EXPECT_NE(inspect_eval_rows(folder / "eval.jsonl")["status"], "blocked");
      EXPECT_NE(inspect_chat_rows(folder / "sft.jsonl")["status"], "blocked");
    }
  }
  EXPECT_THAT(error_of([&] { run_sft_starter(files(), {.input = (folder / "corpus.jsonl").string(), .out = (folder / "sft.jsonl").string(), .max_items = 32}); }), HasSubstr("--force"));
  EXPECT_THAT(error_of([&] { run_eval_starter(files(), {.input = folder.write("short.txt", "too short").string(), .out = (folder / "x.jsonl").string()}); }), HasSubstr("no sentence"));
}

TEST(Starters, PreferencesRejectWhatIsWorse) {
  TestFolder folder("preference");
  const auto chat = folder.write("chat.jsonl",
                                 "{\"user\":\"What is 2+2?\",\"assistant\":\"4\"}\n{\"user\":\"b\",\"assistant\":\"B\"}\n{\"user\":\"c\",\"assistant\":\"C\"}\n{\"user\":\"same\",\"assistant\":\"D\"}\n"
                                 "{\"user\":\"echo\",\"assistant\":\"echo\"}\n{\"user\":\"f\",\"assistant\":\"I do not know.\",\"answerable\":false}\n{\"user\":\"g\",\"assistant\":\"I cannot.\",\"answerable\":false}\n");
  const auto output = run_preference_starter(files(), {.input = chat.string(), .out = (folder / "p.jsonl").string()});
  EXPECT_EQ(output.json["rows"], 7);
  int rows = 0;
  for (const auto& line : base::split(base::read_file(folder / "p.jsonl"), '\n')) {
    if (line.empty()) continue;
    const auto row = base::parse_json(line, "p");
    EXPECT_NE(row["chosen"], row["rejected"]);
    if (row["rejected_type"] == "generic_refusal") {
      EXPECT_EQ(row["chosen"].get<std::string>().find("cannot"), std::string::npos);
    }
    if (++rows == 7) {
      EXPECT_EQ(row["rejected_type"], "invented_answer");
    }
  }
  EXPECT_EQ(rows, 7);
}

}  // namespace
}  // namespace picochat::tasks
