// Facts read from the reports of the rooms that measured them.
#include "picochat/gate/reports.hpp"

#include <gmock/gmock.h>

#include "picochat/base/error.hpp"
#include "picochat/corpus/manifest.hpp"
#include "picochat/gate/preflight.hpp"
#include "picochat/tasks/inspect.hpp"

namespace picochat::gate {
namespace {

using base::Json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Reports, CorpusManifestOfTheCorpusRoom) {
  corpus::Manifest manifest;
  manifest.digest = base::sha256("corpus");
  manifest.stats.num_documents = 200;
  manifest.stats.num_characters = 50'000;
  manifest.stats.num_bytes = 51'000;
  manifest.stats.duplicate_documents = 4;
  manifest.sources = {{.path = "a", .label = "first"}, {.path = "b", .label = "second"}};
  manifest.readiness = {.status = "caution", .summary = "few characters", .checks = {}};
  Json json = corpus::manifest_json(manifest);
  CorpusFacts f = corpus_facts(json, "corpus_manifest.json");
  EXPECT_EQ(f.readiness, "caution");
  EXPECT_EQ(f.digest, base::sha256("corpus").hex());
  EXPECT_EQ(f.documents, 200);
  EXPECT_DOUBLE_EQ(*f.duplicate_document_rate, 0.02);
  EXPECT_FALSE(f.duplicate_line_rate) << "not measured is not 0";
  EXPECT_EQ(f.sources, 2);
  EXPECT_FALSE(f.sources_with_license);

  json["sources"][0]["license"] = "cc0-1.0";
  json["sources"][1]["license"] = "";
  f = corpus_facts(json, "corpus_manifest.json");
  EXPECT_EQ(f.sources_with_license, 1);
  EXPECT_THAT(f.sources_without_license, ElementsAre("second"));
  json["stats"].erase("num_documents");
  EXPECT_THROW(corpus_facts(json, "corpus_manifest.json"), base::Error);
}

TEST(Reports, ChatAndEvalReportsOfTheTasksRoom) {
  tasks::RowFile<tasks::ChatRow> chat;
  for (int i = 0; i < 10; ++i) {
    tasks::ChatRow row;
    row.turns = {{"user", "Question number " + std::to_string(i)}, {"assistant", "Answer."}};
    row.category = i % 2 ? "identity" : "refusal";
    chat.rows.push_back(row);
  }
  const ChatFacts c = chat_facts(tasks::inspect_chat_rows(chat, "chat.jsonl"), "chat report");
  EXPECT_EQ(c.status, "ready");
  EXPECT_EQ(c.examples, 10);
  EXPECT_EQ(c.categories.at("identity"), 5);
  EXPECT_DOUBLE_EQ(*c.average_assistant_words, 1);
  EXPECT_GT(*c.average_characters, 20);

  const ChatFacts missing = chat_facts(tasks::inspect_chat_rows(base::Path("/nonexistent/chat.jsonl")), "chat report");
  EXPECT_EQ(missing.status, "blocked");
  EXPECT_FALSE(missing.duplicate_user_rate) << "a rate over no rows is not measured";

  tasks::RowFile<tasks::EvalRow> eval;
  tasks::EvalRow row;
  row.user = "What is 2 + 2?";
  row.category = "bench_math_addition";
  eval.rows = {row, row};
  eval.rows[1].user = "And 3 + 3?";
  eval.rows[1].must_include = {"6"};
  const EvalFileFacts e = eval_file_facts(tasks::inspect_eval_rows(eval, "eval.jsonl"), "eval report");
  EXPECT_EQ(e.items, 2);
  EXPECT_EQ(e.items_without_rules, 1);
  EXPECT_EQ(e.categories.at("bench_math_addition"), 2);
}

TEST(Reports, Honesty) {
  const Json report{{"status", "blocked"}, {"summary", "1 leak"}, {"exact_prompt_leaks", 1}, {"near_prompt_leaks", 2}, {"corpus_prompt_hits", "not_measured"},
                    {"corpus_support_phrase_hits", 3},
                    {"contamination_matrix", {{{"name", "sft_vs_eval"}, {"risk", "high"}, {"checked", true}},
                                              {{"name", "base_corpus_vs_eval"}, {"risk", "not_checked"}, {"checked", false}, {"reason", "no corpus"}}}},
                    {"findings", {{{"severity", "warn"}, {"message", "near"}}, {{"kind", "eval_prompt_in_corpus"}, {"severity", "block"}, {"message", "the eval prompt is in the corpus"}, {"eval_line", 3}, {"file", "a.jsonl"}, {"document", "d7"}}}},
                    {"external", {{{"name", "arc"}, {"rows", 570}, {"flagged_rows", 2}}}}};
  const HonestyFacts f = honesty_facts(report, "honesty_report.json");
  EXPECT_EQ(f.status, "blocked");
  EXPECT_EQ(f.blocking_findings, 1);
  EXPECT_EQ(f.warning_findings, 1);
  EXPECT_EQ(f.first_finding, "the eval prompt is in the corpus (eval line 3, a.jsonl document d7)");
  EXPECT_EQ(f.corpus_prompts_in_full, 1);
  EXPECT_FALSE(f.corpus_prompt_hits);
  EXPECT_EQ(f.pairs.at(1).risk, "not_measured");
  EXPECT_EQ(f.pairs.at(1).reason, "no corpus");
  EXPECT_EQ(f.external.at(0).flagged_rows, 2);
  EXPECT_THROW(honesty_facts(Json::array(), "honesty_report.json"), base::Error);
  EXPECT_THROW(honesty_facts(Json::object(), "honesty_report.json"), base::Error);
}

TEST(Reports, Sanity) {
  const SanityFacts f = sanity_facts({{"status", "failed"}, {"device", "NVIDIA H200"}, {"checks", {{{"name", "kv_cache_equivalence"}, {"status", "fail"}}, {{"name", "hf_export"}, {"status", "pass"}}}}}, "preh100_sanity.json");
  EXPECT_THAT(f.failed_checks, ElementsAre("kv_cache_equivalence"));
}

TEST(Reports, PreflightOfThisRoom) {
  RunOptions options;
  options.base_steps = 6000;
  const PreflightEvidence e = preflight_evidence(to_json(judge_preflight({}, options)), "preflight.json");
  EXPECT_EQ(e.profile, "research");
  EXPECT_TRUE(e.long_run);
  EXPECT_NE(e.status, "blocked");
}

TEST(Reports, EvalReport) {
  const std::string digest(64, 'a');
  Json report{{"checkpoint", {{"sha256", digest}, {"step", 3}}}, {"tokenizer", {{"sha256", digest}}}, {"input", {{"sha256", digest}}},
              {"summary", {{"num_examples", 12}, {"num_passed", 6}, {"num_unscored", 1}, {"non_choice_examples", 8}, {"non_choice_passed", 4}, {"choice_examples", 4},
                           {"choice_correct", 2}, {"choice_random_baseline", 0.25}, {"unsafe_refusal_examples", 0}, {"unsafe_refusal_passed", nullptr},
                           {"benign_non_refusal_examples", 8}, {"benign_non_refusal", 8}, {"prompt_echoes", 1}, {"unsupported_claim_rate", nullptr},
                           {"category_breakdown", {{"identity", {{"num_examples", 12}, {"num_passed", 6}}}}},
                           {"skill_stage_breakdown", {{"math:l1", {{"num_examples", 4}, {"num_passed", nullptr}}}}}}}};
  const EvalEvidence e = eval_evidence(report, "eval_report.json");
  EXPECT_EQ(e.checkpoint, digest);
  EXPECT_EQ(e.overall.n, 12);
  EXPECT_EQ(e.unscored, 1);
  EXPECT_EQ(e.unsafe_refusal.n, 0);
  EXPECT_EQ(e.prompt_echo.n, 8);
  EXPECT_EQ(e.prompt_echo.passed, 1);
  EXPECT_FALSE(e.unsupported_claim_rate);
  EXPECT_EQ(e.categories.at("identity").passed, 6);
  EXPECT_EQ(e.skill_stages.at("math:l1").passed, 0);
  report["summary"]["num_passed"] = 13;
  try {
    eval_evidence(report, "eval_report.json");
    FAIL() << "13 of 12 rows passed";
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("eval_report.json"));
  }
}

}  // namespace
}  // namespace picochat::gate
