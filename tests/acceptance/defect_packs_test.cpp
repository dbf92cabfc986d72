// Hand-made defects of a pack: preflight names each, with what to do about it, and stops the run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "acceptance/program.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"

namespace picochat::acceptance {
namespace {

using base::cat;
using base::Json;
using ::testing::HasSubstr;

std::vector<Json> read_rows(const std::filesystem::path& path) {
  std::vector<Json> rows;
  for (const auto& line : base::split(read_all(path), '\n'))
    if (!line.empty()) rows.push_back(base::parse_json(line, path.string()));
  return rows;
}

void write_rows(const std::filesystem::path& path, const std::vector<Json>& rows) {
  std::ofstream out(path, std::ios::binary);
  for (const auto& row : rows) out << row.dump() << "\n";
}

class DefectPacks : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  Program program_{folder_.path()};
  std::filesystem::path pack_ = folder_ / "pack/dataset_pack.json", chat_ = folder_ / "pack/chat_task_mixture_release_skills.jsonl",
                        eval_ = folder_ / "pack/eval_task_mixture_release_skills.jsonl";

  void SetUp() override {
    for (int i = 0; i < 120; ++i)
      folder_.write(cat("text/", i, ".txt"), cat("Note ", i, ". The mill at bend ", i * 7, " of the river ground corn for ", i + 3, " farms until the dam was built.\n"));
    folder_.write("pack/dataset_pack.json", R"({"name":"defects","corpus":"../text","chat":"chat.jsonl","eval":"eval.jsonl"})");
    folder_.write("pack/chat.jsonl", "");
    folder_.write("pack/eval.jsonl", "");
    const Outcome made = program_.run({"data", "task-pack", "--dataset-pack", pack_.string(), "--profile", "release_skills", "--sft-rows", "600", "--eval-rows", "150", "--force"});
    ASSERT_EQ(made.code, 0) << made.errors;
  }

  // Preflight of the pack as it now is: the named check, its status, and the run's exit code.
  Json check(const std::string& name, int exit_code, const std::string& profile = "skill_release") {
    const Outcome run = program_.run({"run", "tiny", "--scale", "tiny-cpu", "--dataset-pack", pack_.string(), "--out-dir", (folder_ / "run").string(),
                                      "--long-run-gate-profile", profile, "--preflight-only"});
    EXPECT_EQ(run.code, exit_code) << run.errors;
    const Json report = base::read_json(folder_ / "run/preflight.json");
    for (const auto& found : report.at("checks"))
      if (found.at("name") == name) {
        EXPECT_THAT(run.errors, HasSubstr(name));
        EXPECT_THAT(run.errors, HasSubstr(found.at("remedy").get<std::string>()));
        return found;
      }
    ADD_FAILURE() << name << " is not in the report";
    return {};
  }
};

TEST_F(DefectPacks, TheGeneratedPackHasNone) {
  for (const char* name : {"chat_sft_readiness", "eval_readiness", "sft_category_balance", "sft_duplicate_prompts", "contamination"})
    EXPECT_EQ(check(name, 0, "research").at("status"), "pass") << name;
  // A profile of its own has this check; the little text blocks that release for other reasons.
  EXPECT_EQ(check("eval_skill_release_coverage", 3).at("status"), "pass");
}

TEST_F(DefectPacks, EmptyAnswers) {
  auto rows = read_rows(chat_);
  for (size_t i = 10; i < 15; ++i) rows[i]["assistant"] = "  ";
  write_rows(chat_, rows);
  const Json found = check("chat_sft_readiness", 3);
  EXPECT_EQ(found.at("status"), "block");
  EXPECT_THAT(found.at("message").get<std::string>(), HasSubstr("5 invalid rows, first line 11"));
  EXPECT_THAT(found.at("message").get<std::string>(), HasSubstr("correct or remove them"));
}

TEST_F(DefectPacks, WrongLetters) {
  auto rows = read_rows(chat_);
  int changed = 0;
  for (auto& row : rows)
    if (row.at("category").get<std::string>().starts_with("bench_choice") && changed < 7) row["assistant"] = ++changed % 2 ? "E" : row.at("assistant") == "A" ? "B" : "A";
  write_rows(chat_, rows);
  Json found = check("chat_sft_readiness", 3);
  EXPECT_EQ(found.at("status"), "block");
  EXPECT_THAT(found.at("message").get<std::string>(), HasSubstr("7 wrongly lettered rows, first line"));
  EXPECT_THAT(found.at("message").get<std::string>(), HasSubstr("correct the letters"));

  auto items = read_rows(eval_);
  for (auto& row : items)
    if (row.contains("correct_choice")) row["correct_choice"] = row.at("correct_choice") == "A" ? "B" : "A";
  write_rows(eval_, items);
  found = check("eval_readiness", 3);
  EXPECT_EQ(found.at("status"), "block");
  EXPECT_THAT(found.at("message").get<std::string>(), HasSubstr("15 wrongly lettered rows"));
}

TEST_F(DefectPacks, PlaceholderRows) {
  const Outcome made = program_.run({"data", "init-pack", "--corpus", (folder_ / "text").string(), "--out", (folder_ / "pack").string(), "--force"});
  ASSERT_EQ(made.code, 0) << made.errors;
  for (const char* name : {"chat_sft_readiness", "eval_readiness"}) {
    const Json found = check(name, 3);
    EXPECT_EQ(found.at("status"), "block");
    EXPECT_THAT(found.at("message").get<std::string>(), HasSubstr("placeholder rows; write rows of your own"));
  }
}

TEST_F(DefectPacks, OneCategoryMissing) {
  for (const auto& file : {chat_, eval_}) {
    auto rows = read_rows(file);
    std::erase_if(rows, [](const Json& row) { return row.at("category") == "refusal"; });
    write_rows(file, rows);
  }
  for (const char* name : {"sft_category_balance", "eval_skill_release_coverage"}) {
    const Json found = check(name, 3);
    EXPECT_EQ(found.at("status"), "block");
    EXPECT_EQ(found.at("message"), "no rows of refusal");
    EXPECT_THAT(found.at("remedy").get<std::string>(), HasSubstr("data task-pack --profile release_skills"));
  }
}

TEST_F(DefectPacks, SeventyPercentOneCategory) {
  auto rows = read_rows(chat_);
  std::vector<Json> identity, others;
  for (auto& row : rows) (row.at("category") == "identity" ? identity : others).push_back(row);
  others.resize(identity.size() * 3 / 7);
  std::vector<Json> skewed = identity;
  for (const char* group : {"refusal", "bench_choice", "bench_math", "bench_spelling"})  // one of each, so that none is missing
    for (const auto& row : rows)
      if (row.at("category").get<std::string>().starts_with(group)) {
        others.pop_back();
        skewed.push_back(row);
        break;
      }
  skewed.insert(skewed.end(), others.begin(), others.end());
  write_rows(chat_, skewed);
  const Json found = check("sft_category_balance", 3);  // other checks block: too few rows are left
  EXPECT_EQ(found.at("status"), "warn");
  EXPECT_THAT(found.at("message").get<std::string>(), HasSubstr("of the rows are identity"));
  EXPECT_THAT(found.at("remedy").get<std::string>(), HasSubstr("drop some of identity"));
}

TEST_F(DefectPacks, DuplicatedPrompts) {
  auto rows = read_rows(chat_);
  const size_t all = rows.size();
  for (size_t i = 0; i < all / 2; ++i) rows.push_back(rows[i % 20]);
  write_rows(chat_, rows);
  const Json found = check("sft_duplicate_prompts", 3);
  EXPECT_EQ(found.at("status"), "block");
  EXPECT_EQ(found.at("metric"), "33.33%");
  EXPECT_EQ(found.at("remedy"), "keep one row of each prompt");
}

TEST_F(DefectPacks, LeakedEvals) {
  auto rows = read_rows(chat_);
  const auto items = read_rows(eval_);
  rows[3]["user"] = items[5].at("user");
  write_rows(chat_, rows);
  const Json found = check("contamination", 3, "research");
  EXPECT_EQ(found.at("status"), "block");
  EXPECT_THAT(found.at("message").get<std::string>(), HasSubstr("eval line 6"));
  EXPECT_THAT(found.at("remedy").get<std::string>(), HasSubstr("remove what the honesty report names"));
}

}  // namespace
}  // namespace picochat::acceptance
