#include "picochat/evidence/run_summary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "picochat/base/artifact.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/evidence/markdown.hpp"
#include "picochat/evidence/svg.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::evidence {
namespace {

using base::Json;
using testing::HasSubstr;
using testing::Not;

Json bucket(int64_t passed, int64_t n) {
  return {{"num_passed", passed}, {"num_scored", n}, {"num_examples", n}, {"pass_rate", static_cast<double>(passed) / static_cast<double>(n)},
          {"pass_rate_ci", {{"low", 0.1}, {"high", 0.9}, {"confidence", 0.95}}}};
}

RunFacts facts() {
  RunFacts f;
  f.config = {{"scale", "tiny-cpu"}, {"seed", 42}};
  f.eval = bucket(6, 10);
  f.eval["weakest_category"] = bucket(1, 5);
  f.eval["weakest_category"]["name"] = "bench_spelling_reverse";
  f.eval["category_breakdown"] = {{"bench_spelling_reverse", bucket(1, 5)}, {"identity", bucket(5, 5)}};
  f.eval_analysis = {{"recommendations", {{{"area", "content"}, {"priority", "medium"}, {"message", "m"}, {"action", "add rows"}}}}};
  f.eval_generations = {{"rule", "by hash"}, {"seed", 42}, {"good", Json::array()}, {"bad", {{{"category", "identity"}, {"user", "Who?"}, {"reply", "```\nfoo"}}}}};
  f.long_run_gate = {{"status", "blocked"}, {"summary", "1 block"}, {"profile", "skill_release"},
                     {"issues", {{{"name", "skill_release_eval_spelling"}, {"severity", "block"}, {"message", "20.0% < 40.0%"}, {"remedy", "train spelling longer"}}}}};
  f.artifacts = {{"tokenizer", {{"path", "tokenizer.json"}, {"sha256", std::string(64, 'a')}}}};
  f.stages = {{"base_train", 61.2}, {"sft_train", 9.0, true}};
  f.total_seconds = 75;
  f.command = "picochat run tiny --scale tiny-cpu";
  return f;
}

TEST(RunSummary, SaysTheVerdictThenTheWeakestCategory) {
  std::string text = summary_markdown(build_summary(facts()));
  EXPECT_THAT(text, testing::StartsWith("# Run summary\n\n**BLOCKED: 1 block.**\n\nWeakest category: bench_spelling_reverse with 20.0% [10.0, 90.0] (1 of 5)."));
  EXPECT_THAT(text, HasSubstr("train spelling longer"));
  EXPECT_THAT(text, HasSubstr("| tokenizer | tokenizer.json | aaaaaaaaaaaaaaaa |"));
  EXPECT_LT(text.find("bench_spelling_reverse | 1 / 5"), text.find("identity | 5 / 5"));
  EXPECT_THAT(text, HasSubstr("kept from before"));
}

TEST(RunSummary, WhatWasNotMeasuredSaysSo) {
  std::string text = summary_markdown(build_summary({}));
  EXPECT_THAT(text, HasSubstr("NOT JUDGED"));
  EXPECT_THAT(text, HasSubstr("| eval rows passed | not measured |"));
  EXPECT_THAT(text, Not(HasSubstr("0.0%")));
}

TEST(RunSummary, EndOfRunTellsWhereToLookNext) {
  std::string text = end_of_run_text(build_summary(facts()), "runs/demo", "  identity 5/5\n", "");
  EXPECT_THAT(text, HasSubstr("Release gate BLOCKED: 1 block"));
  EXPECT_THAT(text, HasSubstr("Read next: runs/demo/summary.md"));
  EXPECT_THAT(text, HasSubstr("Do next:   train spelling longer"));
}

TEST(RunSummary, OnlyTimingDependsOnTheClock) {
  auto slow = facts();
  slow.total_seconds = 9999;
  slow.stages[0].seconds = 9000;
  Json a = build_summary(facts()), b = build_summary(slow);
  EXPECT_NE(a, b);
  a.erase("timing");
  b.erase("timing");
  EXPECT_EQ(a, b);
}

TEST(Artifacts, AreRelativePathsWithDigests) {
  const test::TemporaryFolder folder;
  const base::Path& dir = folder.path();
  std::filesystem::create_directories(dir / "base" / "checkpoint");
  std::ofstream(dir / "tokenizer.json") << "{}";
  std::ofstream(dir / "base" / "checkpoint" / "model.safetensors") << "weights";
  auto digest = base::write_manifest(base::real_file_system(), dir / "base" / "checkpoint", "picochat-checkpoint");
  EXPECT_EQ(artifact(dir, dir / "tokenizer.json"), (Json{{"path", "tokenizer.json"}, {"sha256", base::sha256("{}").hex()}}));
  EXPECT_EQ(artifact(dir, dir / "base" / "checkpoint"), (Json{{"path", "base/checkpoint"}, {"sha256", digest.hex()}}));
  EXPECT_TRUE(artifact(dir, dir / "missing").is_null());
}

TEST(Markdown, TextFromOutsideCannotBecomeMarkup) {
  EXPECT_EQ(markdown_block("a ``` b"), "````text\na ``` b\n````\n");
  EXPECT_EQ(markdown_inline("x `y`"), "`` x `y` ``");
  EXPECT_THAT(markdown_table({"a"}, {{"p|q\nr"}}), HasSubstr("| p\\|q r |"));
  EXPECT_EQ(percent(Json()), "not measured");
  EXPECT_EQ(percent(0.62, Json{{"low", 0.482}, {"high", 0.741}}), "62.0% [48.2, 74.1]");
  EXPECT_EQ(figure(1234567), "1,234,567");
}

TEST(Svg, DrawsWhatThereIs) {
  EXPECT_EQ(svg_charts({Chart{.title = "empty", .x_label = "", .y_label = "", .series = {}}}), "");
  Chart chart{.title = "loss <nats>", .x_label = "step", .y_label = "", .series = {{"train", {{1, 4}, {2, 3}, {3, std::nan("")}, {4, 2}}}}, .mark_x = 2, .mark_label = "best"};
  std::string svg = svg_charts({chart});
  EXPECT_THAT(svg, HasSubstr("loss &lt;nats&gt;"));
  EXPECT_THAT(svg, HasSubstr("<polyline"));
  EXPECT_THAT(svg, HasSubstr("<circle")) << "a single point after a gap is drawn too";
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace picochat::evidence
