// Benchmarks: the harness's prompts word for word, its two figures by their definitions, and what a report owns up to.
#include "picochat/eval/external.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "eval/tiny_model.hpp"
#include "picochat/base/error.hpp"
#include "picochat/eval/likelihood.hpp"

namespace picochat::eval {
namespace {

using base::Json;
using tasks::BenchmarkFile;
using tasks::BenchmarkRow;
using ::testing::ElementsAre;

BenchmarkRow row(std::string question, std::vector<std::string> choices, size_t correct, int64_t line, std::string subject = "") {
  BenchmarkRow out{.id = "", .subject = std::move(subject), .question = std::move(question), .labels = {}, .choices = std::move(choices), .correct = correct, .line = line};
  for (size_t i = 0; i < out.choices.size(); ++i) out.labels.push_back(std::string(1, static_cast<char>('A' + i)));
  return out;
}

BenchmarkFile arc() {
  BenchmarkFile file{.layout = "arc_hub", .rows = {}, .dev_shots = {}};
  for (int i = 0; i < 24; ++i)
    file.rows.push_back(row("Which is " + std::string(static_cast<size_t>(i % 5), 'q') + "?", {"a", "an iron rod", std::string(static_cast<size_t>(1 + i % 7), 'x')}, static_cast<size_t>(i % 3), i + 1));
  return file;
}

Json score(const BenchmarkFile& file, const LanguageModel& model, const std::optional<std::set<int64_t>>& flagged = {}, ExternalEvalOptions options = {}) {
  return eval_external(options, file, {{"path", "arc.jsonl"}, {"sha256", std::string(64, '0')}}, model, flagged);
}

TEST(ExternalPrompt, ArcIsAskedAsTheHarnessAsksIt) {
  const auto file = arc();
  const auto prompt = external_prompts(file, row("Which melts?", {"ice", "iron"}, 0, 1), {}).at(0);
  EXPECT_EQ(prompt.context, "Question: Which melts?\nAnswer:");
  EXPECT_THAT(prompt.continuations, ElementsAre(" ice", " iron"));
}

TEST(ExternalPrompt, MmluShowsLettersAfterItsDescriptionAndShots) {
  const BenchmarkFile file{.layout = "mmlu_hub", .rows = {}, .dev_shots = {}};
  const std::vector<BenchmarkRow> shots{row("1+1?", {"2", "3", "4", "5"}, 0, 1, "abstract_algebra")};
  const auto prompt = external_prompts(file, row(" 2+2? ", {"2", "3", "4", "5"}, 2, 1, "abstract_algebra"), shots).at(0);
  EXPECT_EQ(prompt.context,
            "The following are multiple choice questions (with answers) about abstract algebra.\n\n"
            "1+1?\nA. 2\nB. 3\nC. 4\nD. 5\nAnswer: A\n\n"
            "2+2?\nA. 2\nB. 3\nC. 4\nD. 5\nAnswer:");
  EXPECT_THAT(prompt.continuations, ElementsAre(" A", " B", " C", " D"));
}

TEST(ExternalPrompt, OtherBenchmarksAreAskedAsTheHarnessAsksThem) {
  auto only = [](const char* layout, const BenchmarkRow& r) {
    const auto prompts = external_prompts({.layout = layout, .rows = {}, .dev_shots = {}}, r, {});
    EXPECT_EQ(prompts.size(), 1u);
    return prompts.at(0);
  };
  EXPECT_EQ(only("piqa", row("Open a jar.", {"Twist.", "Sing."}, 0, 1)).context, "Question: Open a jar.\nAnswer:");
  EXPECT_EQ(only("openbookqa", row("The sun is", {"hot", "wet"}, 0, 1)).context, "The sun is");
  BenchmarkRow yes_no = row("is ice cold?", {"no", "yes"}, 1, 1);
  yes_no.passage = "Ice is frozen water.";
  EXPECT_EQ(only("boolq", yes_no).context, "Ice is frozen water.\nQuestion: is ice cold?\nAnswer:");
  EXPECT_THAT(only("boolq", yes_no).continuations, ElementsAre(" no", " yes"));
}

TEST(ExternalPrompt, WinograndeFillsTheBlankAndScoresWhatFollows) {
  const BenchmarkFile file{.layout = "winogrande", .rows = {}, .dev_shots = {}};
  const auto sentence = row("The cup fell off the shelf as the _ was wet.", {"cup", "shelf"}, 1, 1);
  const auto prompts = external_prompts(file, sentence, std::span(&sentence, 1));
  ASSERT_EQ(prompts.size(), 2u);
  EXPECT_EQ(prompts[0].context, "The cup fell off the shelf as the shelf was wet.\n\nThe cup fell off the shelf as the cup");
  EXPECT_EQ(prompts[1].context, "The cup fell off the shelf as the shelf was wet.\n\nThe cup fell off the shelf as the shelf");
  EXPECT_THAT(prompts[0].continuations, ElementsAre(" was wet."));
  EXPECT_EQ(prompts[0].continuations, prompts[1].continuations);
}

TEST(ExternalEval, PromptsOfOneRowStayTogether) {
  const auto model = random_model();
  BenchmarkFile file{.layout = "winogrande", .rows = {}, .dev_shots = {}};
  for (int i = 1; i <= 5; ++i) file.rows.push_back(row("It was _ number " + std::to_string(i), {"box", "a ball"}, static_cast<size_t>(i % 2), i));
  const Json report = score(file, model);
  for (size_t i = 0; i < file.rows.size(); ++i)
    for (size_t c = 0; c < 2; ++c) {
      LikelihoodRequest request{.context = {tokenizer::kBos}, .continuations = {}};
      model.tokenizer->encode("It was " + file.rows[i].choices[c], request.context);
      request.continuations.push_back(model.tokenizer->encode(" number " + std::to_string(i + 1)));
      EXPECT_NEAR(report.at("examples")[i].at("choice_logprobs")[c].get<double>(), score_continuations(model, std::span(&request, 1))[0][0].logprob, 1e-9);
    }
  EXPECT_EQ(report.at("summary").at("primary_metric"), "acc");
  EXPECT_EQ(report.at("summary").at("acc_norm"), nullptr) << "the harness has none for this benchmark";
  EXPECT_EQ(external_markdown(report, "winogrande").find("acc_norm"), std::string::npos);
}

TEST(ExternalEval, AccAndAccNormFollowTheirDefinitions) {
  const auto model = random_model();
  const auto file = arc();
  const Json report = score(file, model);
  int64_t acc = 0, acc_norm = 0;
  for (size_t i = 0; i < file.rows.size(); ++i) {
    const auto& item = file.rows[i];
    LikelihoodRequest request{.context = {tokenizer::kBos}, .continuations = {}};
    model.tokenizer->encode("Question: " + item.question + "\nAnswer:", request.context);
    for (const auto& choice : item.choices) request.continuations.push_back(model.tokenizer->encode(" " + choice));
    const auto expected = score_continuations(model, std::span(&request, 1)).at(0);
    size_t best = 0, best_norm = 0;
    auto norm = [&](size_t c) { return expected[c].logprob / static_cast<double>(item.choices[c].size()); };
    for (size_t c = 0; c < expected.size(); ++c) {
      EXPECT_NEAR(report.at("examples")[i].at("choice_logprobs")[c].get<double>(), expected[c].logprob, 1e-9);
      if (expected[c].logprob > expected[best].logprob) best = c;
      if (norm(c) > norm(best_norm)) best_norm = c;
    }
    acc += best == item.correct;
    acc_norm += best_norm == item.correct;
  }
  const Json& summary = report.at("summary");
  EXPECT_EQ(summary.at("acc"), static_cast<double>(acc) / 24);
  EXPECT_EQ(summary.at("acc_norm"), static_cast<double>(acc_norm) / 24);
  EXPECT_NE(acc, acc_norm) << "the rows must tell the two apart";
  EXPECT_EQ(summary.at("num_passed"), acc_norm) << "ARC is quoted by acc_norm";
  EXPECT_DOUBLE_EQ(summary.at("choice_random_baseline").get<double>(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(summary.at("majority_baseline").get<double>(), 8.0 / 24);
}

TEST(ExternalEval, BatchSizeChangesNothing) {
  const auto model = random_model();
  Json one = score(arc(), model, {}, {.batch_rows = 1}), many = score(arc(), model, {}, {.batch_rows = 7});
  EXPECT_EQ(one.at("examples"), many.at("examples"));
  EXPECT_EQ(one.at("summary"), many.at("summary"));
}

TEST(ExternalEval, RowsFoundInTheTrainingMaterialAreCountedApart) {
  const auto model = random_model();
  const Json all = score(arc(), model), checked = score(arc(), model, std::set<int64_t>{1, 2, 3});
  EXPECT_FALSE(all.contains("contamination")) << "nobody looked, so nothing is claimed";
  EXPECT_EQ(checked.at("contamination").at("flagged_rows"), 3);
  int64_t passed = 0;
  for (const auto& example : checked.at("examples")) passed += example.at("line") > 3 && example.at("passed").get<bool>();
  EXPECT_EQ(checked.at("contamination").at("without_flagged").at("num_examples"), 21);
  EXPECT_EQ(checked.at("contamination").at("without_flagged").at("num_passed"), passed);
  EXPECT_EQ(checked.at("summary"), all.at("summary"));
}

TEST(ExternalEval, CutPromptsAreCounted) {
  const auto model = random_model();  // 96 positions
  BenchmarkFile file = arc();
  file.rows[0].question = std::string(200, 'w');
  EXPECT_EQ(score(arc(), model).at("summary").at("num_truncated"), 0);
  EXPECT_EQ(score(file, model).at("summary").at("num_truncated"), 1);
}

TEST(ExternalEval, WorkedExamplesAreOfTheRowsOwnSubject) {
  const auto model = random_model();
  BenchmarkFile file{.layout = "mmlu_hub", .rows = {row("b?", {"1", "2"}, 0, 1, "law")}, .dev_shots = {row("s?", {"1", "2"}, 0, 1, "art"), row("t?", {"1", "2"}, 1, 2, "law")}};
  const double with_both = score(file, model, {}, {.num_fewshot = 1}).at("examples")[0].at("choice_logprobs")[0];
  file.dev_shots.erase(file.dev_shots.begin());
  EXPECT_EQ(score(file, model, {}, {.num_fewshot = 1}).at("examples")[0].at("choice_logprobs")[0], with_both);
  file.dev_shots[0].subject = "art";
  EXPECT_THROW(score(file, model, {}, {.num_fewshot = 1}), base::Error);
}

TEST(ExternalEval, ShotsThatAreNotThereAreRefused) { EXPECT_THROW(score(arc(), random_model(), {}, {.num_fewshot = 1}), base::Error); }

}  // namespace
}  // namespace picochat::eval
