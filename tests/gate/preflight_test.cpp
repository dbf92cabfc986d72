// Every check, from both sides of every threshold.
#include "picochat/gate/preflight.hpp"

#include <gmock/gmock.h>

#include <regex>
#include <set>

#include "gate/good_facts.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/text.hpp"
#include "support/project.hpp"

namespace picochat::gate {
namespace {

using base::Json;
using ::testing::HasSubstr;

using Facts = PreflightFacts;
using Options = RunOptions;

// What a case changes in a run that is ready.
using Spoil = void (*)(Facts&, Options&);

struct Case {
  const char* check;
  const char* profile;  // the plan: research is a short CPU run, the others are h100-100m on its host
  const char* status;   // "absent": the check is not part of this run
  bool blocks;
  Spoil spoil;
};

struct Plan {
  Facts facts;
  Options options;
};

Plan ready_plan(const std::string& profile) {
  if (profile == "research") {
    const auto run = resolved("tiny-cpu");
    Plan plan{good_facts(run, "cpu"), run.options};
    plan.facts.chat->examples = 1600;
    return plan;
  }
  const auto run = resolved("h100-100m", {{"device", "cuda"}, {"long_run_gate_profile", profile}});
  return {good_facts(run, "cuda"), run.options};
}

const char* kResearch = "research";
const char* kFirst = "first_release";
const char* kSkill = "skill_release";

const std::vector<Case>& cases() {
  static const std::vector<Case> table{
      // Data source
      {"corpus_readiness", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"corpus_readiness", kResearch, "warn", false, [](Facts& f, Options&) { f.corpus->readiness = "caution"; }},
      {"corpus_readiness", kResearch, "block", true, [](Facts& f, Options&) { f.corpus->readiness = "blocked"; }},
      {"corpus_readiness", kResearch, "not_measured", false, [](Facts& f, Options&) { f.corpus.reset(); }},
      {"corpus_readiness", kSkill, "not_measured", true, [](Facts& f, Options&) { f.corpus.reset(); }},
      {"documents", kResearch, "pass", false, [](Facts& f, Options&) { f.corpus->documents = 1; }},
      {"documents", kResearch, "block", true, [](Facts& f, Options&) { f.corpus->documents = 0; }},
      {"documents", kSkill, "not_measured", true, [](Facts& f, Options&) { f.corpus.reset(); }},
      {"documents", kSkill, "warn", false, [](Facts& f, Options&) { f.corpus->documents = 99; }},
      {"documents", kSkill, "pass", false, [](Facts& f, Options&) { f.corpus->documents = 100; }},
      {"duplicate_documents", kResearch, "pass", false, [](Facts& f, Options&) { f.corpus->duplicate_document_rate = 0.03; }},
      {"duplicate_documents", kResearch, "warn", false, [](Facts& f, Options&) { f.corpus->duplicate_document_rate = 0.031; }},
      {"duplicate_documents", kResearch, "warn", false, [](Facts& f, Options&) { f.corpus->duplicate_document_rate = 0.5; }},
      {"duplicate_documents", kSkill, "warn", false, [](Facts& f, Options&) { f.corpus->duplicate_document_rate = 0.10; }},
      {"duplicate_documents", kSkill, "block", true, [](Facts& f, Options&) { f.corpus->duplicate_document_rate = 0.101; }},
      {"duplicate_documents", kSkill, "not_measured", true, [](Facts& f, Options&) { f.corpus->duplicate_document_rate.reset(); }},
      {"near_duplicate_documents", kFirst, "pass", false, [](Facts& f, Options&) { f.corpus->near_duplicate_document_rate = 0.05; }},
      {"near_duplicate_documents", kFirst, "warn", false, [](Facts& f, Options&) { f.corpus->near_duplicate_document_rate = 0.15; }},
      {"near_duplicate_documents", kFirst, "block", true, [](Facts& f, Options&) { f.corpus->near_duplicate_document_rate = 0.151; }},
      {"near_duplicate_documents", kFirst, "not_measured", true, [](Facts& f, Options&) { f.corpus->near_duplicate_documents_checked = 0; }},
      {"duplicate_lines", kSkill, "pass", false, [](Facts& f, Options&) { f.corpus->duplicate_line_rate = 0.15; }},
      {"duplicate_lines", kSkill, "warn", false, [](Facts& f, Options&) { f.corpus->duplicate_line_rate = 0.30; }},
      {"duplicate_lines", kSkill, "block", true, [](Facts& f, Options&) { f.corpus->duplicate_line_rate = 0.301; }},
      {"duplicate_lines", kResearch, "not_measured", false, [](Facts& f, Options&) { f.corpus->duplicate_line_rate.reset(); }},
      {"corpus_size", kResearch, "pass", false, [](Facts& f, Options&) { f.corpus->characters = 999'999; }},
      {"corpus_size", kResearch, "block", true, [](Facts& f, Options&) { f.corpus->characters = 0; }},
      {"corpus_size", kSkill, "not_measured", true, [](Facts& f, Options&) { f.corpus.reset(); }},
      {"corpus_size", kSkill, "warn", false, [](Facts& f, Options&) { f.corpus->characters = 999'999; }},
      {"corpus_size", kSkill, "pass", false, [](Facts& f, Options&) { f.corpus->characters = 1'000'000; }},
      {"license_known", kSkill, "pass", false, [](Facts&, Options&) {}},
      {"license_known", kSkill, "block", true, [](Facts& f, Options&) { f.corpus->sources_with_license = 1; }},
      {"license_known", kResearch, "warn", false, [](Facts& f, Options&) { f.corpus->sources_with_license = 1; }},
      {"license_known", kResearch, "not_measured", false, [](Facts& f, Options&) { f.corpus->sources_with_license.reset(); }},
      {"provenance_complete", kSkill, "pass", false, [](Facts&, Options&) {}},
      {"provenance_complete", kSkill, "block", true, [](Facts& f, Options&) { f.corpus->sources_with_provenance = 0; }},
      {"provenance_complete", kResearch, "warn", false, [](Facts& f, Options&) { f.corpus->sources_with_provenance = 1; }},
      {"provenance_complete", kSkill, "not_measured", true, [](Facts& f, Options&) { f.corpus->sources_with_provenance.reset(); }},

      // Tokenizer
      {"document_split", kResearch, "pass", false, [](Facts& f, Options&) { f.corpus->documents = 20; }},
      {"document_split", kResearch, "warn", false, [](Facts& f, Options&) { f.corpus->documents = 19; }},
      {"document_split", kResearch, "warn", false, [](Facts&, Options& o) { o.split_mode = "window"; }},
      {"document_split", kSkill, "block", true, [](Facts&, Options& o) { o.split_mode = "window"; }},
      {"document_split", kResearch, "not_measured", false, [](Facts& f, Options&) { f.corpus.reset(); }},
      {"bpe_vocab_size", kResearch, "pass", false, [](Facts& f, Options&) { f.vocab_size = 1024; }},
      {"bpe_vocab_size", kResearch, "warn", false, [](Facts& f, Options&) { f.vocab_size = 1023; }},
      {"bpe_vocab_size", kFirst, "warn", false, [](Facts& f, Options&) { f.vocab_size = 512; }},
      {"bpe_vocab_size", kFirst, "block", true, [](Facts& f, Options&) { f.vocab_size = 511; }},
      {"tokenizer_type", kResearch, "pass", false, [](Facts&, Options& o) { o.tokenizer_type = "char"; }},
      {"tokenizer_type", kSkill, "warn", false, [](Facts&, Options& o) { o.tokenizer_type = "byte"; }},
      {"explicit_vocab", kResearch, "absent", false, [](Facts&, Options&) {}},
      {"explicit_vocab", kResearch, "pass", false, [](Facts&, Options& o) { o.tokenizer_vocab_size.reset(); }},
      {"explicit_vocab", kSkill, "warn", false, [](Facts&, Options& o) { o.tokenizer_vocab_size.reset(); }},
      {"tokenizer_corpus_fit", kResearch, "pass", false, [](Facts& f, Options&) { f.corpus->characters = 2 * *f.corpus->tokens; }},
      {"tokenizer_corpus_fit", kResearch, "warn", false, [](Facts& f, Options&) { f.corpus->characters = 2 * *f.corpus->tokens - 1; }},
      {"tokenizer_corpus_fit", kSkill, "not_measured", true, [](Facts& f, Options&) { f.corpus.reset(); }},
      {"tokenizer_fit", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"tokenizer_fit", kResearch, "warn", false, [](Facts& f, Options&) { f.vocab_size = 1000; }},
      {"tokenizer_fit", kResearch, "not_measured", false, [](Facts& f, Options&) { f.vocab_size.reset(); }},
      {"tokenizer_fit", kSkill, "not_measured", true, [](Facts& f, Options&) { f.vocab_size.reset(); }},

      // Base budget
      {"compute_optimal_horizon", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"compute_optimal_horizon", kResearch, "warn", false, [](Facts&, Options& o) { o.base_steps = 700; }},
      {"compute_optimal_horizon", kResearch, "warn", false, [](Facts&, Options& o) { o.base_steps = 2500; }},
      {"compute_optimal_horizon", kResearch, "warn", false, [](Facts&, Options& o) { o.base_steps = 6000; }},
      {"compute_optimal_horizon", kSkill, "warn", false, [](Facts&, Options& o) { o.base_steps = 97'900; }},
      {"compute_optimal_horizon", kSkill, "block", true, [](Facts&, Options& o) { o.base_steps = 98'000; }},
      {"release_token_budget", kResearch, "absent", false, [](Facts&, Options&) {}},
      {"release_token_budget", kSkill, "pass", false, [](Facts&, Options& o) { o.base_steps = 29'381; }},
      {"release_token_budget", kSkill, "block", true, [](Facts&, Options& o) { o.base_steps = 29'380; }},
      {"release_token_budget", kFirst, "block", true, [](Facts&, Options& o) { o.target_param_data_ratio = 19.99; }},
      {"corpus_model_fit", kSkill, "pass", false, [](Facts& f, Options&) { f.corpus->tokens = 178'283'094; }},
      {"corpus_model_fit", kSkill, "warn", false, [](Facts& f, Options&) { f.corpus->tokens = 178'283'092; }},
      {"corpus_model_fit", kSkill, "warn", false, [](Facts& f, Options&) { f.corpus->tokens = 71'313'238; }},
      {"corpus_model_fit", kSkill, "block", true, [](Facts& f, Options&) { f.corpus->tokens = 71'313'236; }},
      {"corpus_model_fit", kResearch, "block", true, [](Facts& f, Options&) { f.corpus->tokens = 0; }},
      {"corpus_model_fit", kResearch, "warn", false, [](Facts& f, Options&) { f.corpus->tokens = 50'000; }},
      {"corpus_model_fit", kSkill, "not_measured", true, [](Facts& f, Options&) { f.corpus.reset(); }},
      {"base_exposure", kSkill, "pass", false, [](Facts& f, Options&) { f.corpus->tokens = 2'162'688'000 / 12; }},
      {"base_exposure", kSkill, "warn", false, [](Facts& f, Options&) { f.corpus->tokens = 2'162'688'000 / 12 - 1; }},
      {"base_exposure", kSkill, "block", true, [](Facts& f, Options&) { f.corpus->tokens = 2'162'688'000 / 30 - 1; }},
      {"base_exposure", kSkill, "warn", false, [](Facts& f, Options&) { f.corpus->tokens = 2'162'688'000LL * 4 + 1; }},
      {"base_exposure", kSkill, "pass", false, [](Facts& f, Options&) { f.corpus->tokens = 2'162'688'000LL * 4; }},
      {"base_exposure", kResearch, "pass", false, [](Facts& f, Options&) { f.corpus->tokens = 1'000'000'000; }},
      {"base_exposure", kResearch, "block", true, [](Facts& f, Options&) { f.corpus->tokens = 0; }},
      {"base_exposure", kResearch, "not_measured", false, [](Facts& f, Options&) { f.corpus.reset(); }},
      {"effective_batch", kResearch, "pass", false, [](Facts&, Options& o) { o.base_batch_size = 8; }},
      {"effective_batch", kResearch, "warn", false, [](Facts&, Options& o) { o.base_batch_size = 7; }},
      {"base_lr", kResearch, "pass", false, [](Facts&, Options& o) { o.base_learning_rate = 0.003; }},
      {"base_lr", kResearch, "warn", false, [](Facts&, Options& o) { o.base_learning_rate = 0.0031; }},
      {"base_lr", kResearch, "block", true, [](Facts&, Options& o) { o.base_learning_rate = 0; }},
      {"base_effective_lr", kResearch, "absent", false, [](Facts&, Options&) {}},
      {"base_effective_lr", kSkill, "pass", false, [](Facts&, Options& o) { o.base_learning_rate = 0.00025; }},
      {"base_effective_lr", kSkill, "warn", false, [](Facts&, Options& o) { o.base_learning_rate = 0.00026; }},
      {"base_effective_lr", kSkill, "block", true, [](Facts&, Options& o) { o.base_learning_rate = 0; }},
      {"lr_batch_scaling", kResearch, "pass", false, [](Facts&, Options& o) { o.base_batch_size = 16; }},
      {"lr_batch_scaling", kResearch, "warn", false, [](Facts&, Options& o) { o.base_batch_size = 17; }},
      {"lr_batch_scaling", kResearch, "warn", false, [](Facts& f, Options& o) { f.intent.reset(); o.base_batch_size = 17; o.base_learning_rate = 3e-4; }},
      {"lr_batch_scaling", kResearch, "pass", false, [](Facts&, Options& o) { o.base_batch_size = 17; o.base_learning_rate = 0.003; }},
      {"sft_lr_batch_scaling", kResearch, "pass", false, [](Facts&, Options& o) { o.sft_batch_size = 4; }},
      {"sft_lr_batch_scaling", kResearch, "warn", false, [](Facts&, Options& o) { o.sft_batch_size = 3; }},
      {"ddp_auto_lr_scaling", kSkill, "absent", false, [](Facts&, Options&) {}},
      {"ddp_auto_lr_scaling", kSkill, "pass", false,
       [](Facts&, Options& o) { o.ddp = true; o.ddp_world_size = 4; o.base_grad_accum_steps = 4; o.sft_grad_accum_steps = 1; }},
      {"ddp_auto_lr_scaling", kSkill, "warn", false, [](Facts&, Options& o) { o.ddp = true; o.ddp_world_size = 4; }},
      {"residual_init_scale", kSkill, "pass", false, [](Facts&, Options&) {}},
      {"residual_init_scale", kSkill, "warn", false, [](Facts&, Options& o) { o.scaled_residual_init = false; }},
      {"residual_init_scale", kSkill, "pass", false, [](Facts&, Options& o) { o.scaled_residual_init = false; o.n_layer = 15; }},
      {"document_boundaries", kSkill, "pass", false, [](Facts&, Options&) {}},
      {"document_boundaries", kSkill, "block", true, [](Facts& f, Options&) { f.corpus->documents_are_rows = false; }},
      {"document_boundaries", kResearch, "warn", false, [](Facts& f, Options&) { f.corpus->documents_are_rows = false; }},
      {"document_boundaries", kSkill, "warn", false, [](Facts& f, Options&) { f.corpus->documents = 1; }},
      {"document_boundaries", kResearch, "absent", false, [](Facts& f, Options&) { f.corpus->documents = 1; }},
      {"document_boundaries", kSkill, "not_measured", true, [](Facts& f, Options&) { f.corpus.reset(); }},

      // SFT
      {"chat_sft_readiness", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"chat_sft_readiness", kResearch, "warn", false, [](Facts& f, Options&) { f.chat->status = "caution"; }},
      {"chat_sft_readiness", kResearch, "block", true, [](Facts& f, Options&) { f.chat->status = "blocked"; }},
      {"chat_sft_readiness", kResearch, "not_measured", false, [](Facts& f, Options&) { f.chat.reset(); }},
      {"assistant_only_masking", kResearch, "absent", false, [](Facts&, Options&) {}},
      {"assistant_only_masking", kResearch, "pass", false, [](Facts& f, Options&) { f.chat->supervised_tokens = 10; f.chat->rows_without_supervision = 0; }},
      {"assistant_only_masking", kResearch, "block", true, [](Facts& f, Options&) { f.chat->supervised_tokens = 10; f.chat->rows_without_supervision = 1; }},
      {"sft_rows", kResearch, "pass", false, [](Facts& f, Options&) { f.chat->examples = 500; }},
      {"sft_rows", kResearch, "warn", false, [](Facts& f, Options&) { f.chat->examples = 299; }},
      {"sft_rows", kSkill, "warn", false, [](Facts& f, Options&) { f.chat->examples = 300; }},
      {"sft_rows", kSkill, "block", true, [](Facts& f, Options&) { f.chat->examples = 299; }},
      {"sft_rows", kSkill, "not_measured", true, [](Facts& f, Options&) { f.chat.reset(); }},
      {"sft_duplicate_prompts", kSkill, "pass", false, [](Facts& f, Options&) { f.chat->duplicate_user_rate = 0.10; }},
      {"sft_duplicate_prompts", kSkill, "warn", false, [](Facts& f, Options&) { f.chat->duplicate_user_rate = 0.25; }},
      {"sft_duplicate_prompts", kSkill, "block", true, [](Facts& f, Options&) { f.chat->duplicate_user_rate = 0.251; }},
      {"sft_duplicate_prompts", kSkill, "not_measured", true, [](Facts& f, Options&) { f.chat->duplicate_user_rate.reset(); }},
      {"sft_category_balance", kSkill, "pass", false, [](Facts&, Options&) {}},
      {"sft_category_balance", kSkill, "block", true, [](Facts& f, Options&) { f.chat->categories.erase("refusal"); }},
      {"sft_category_balance", kSkill, "warn", false, [](Facts& f, Options&) { f.chat->categories["identity"] = 1960; }},
      {"sft_category_balance", kSkill, "pass", false, [](Facts& f, Options&) { f.chat->categories["identity"] = 1959; }},
      {"sft_category_balance", kFirst, "warn", false, [](Facts& f, Options&) { f.chat->categories = {{"a", 1960}, {"b", 300}, {"c", 300}, {"d", 240}}; }},
      {"sft_category_balance", kFirst, "pass", false, [](Facts& f, Options&) { f.chat->categories = {{"identity", 85}, {"refusal", 15}}; }},
      {"sft_category_balance", kFirst, "warn", false, [](Facts& f, Options&) { f.chat->categories = {{"identity", 85}, {"chat", 15}}; }},
      {"sft_category_balance", kResearch, "pass", false, [](Facts& f, Options&) { f.chat->categories = {{"chat", 1600}}; }},
      {"sft_category_balance", kSkill, "not_measured", true, [](Facts& f, Options&) { f.chat.reset(); }},
      {"sft_answer_length", kSkill, "pass", false, [](Facts& f, Options&) { f.chat->average_assistant_words = 6; }},
      {"sft_answer_length", kSkill, "warn", false, [](Facts& f, Options&) { f.chat->average_assistant_words = 5.9; }},
      {"sft_answer_length", kResearch, "pass", false, [](Facts& f, Options&) { f.chat->average_assistant_words = 1; }},
      {"sft_answer_length", kSkill, "not_measured", true, [](Facts& f, Options&) { f.chat->average_assistant_words.reset(); }},
      {"sft_exposure", kResearch, "pass", false, [](Facts& f, Options& o) { f.chat->examples = 1600; o.sft_packing = "separate"; o.sft_steps = 5000; }},
      {"sft_exposure", kResearch, "warn", false, [](Facts& f, Options& o) { f.chat->examples = 1600; o.sft_packing = "separate"; o.sft_steps = 5001; }},
      {"sft_exposure", kResearch, "block", true, [](Facts& f, Options&) { f.chat->examples = 0; }},
      {"sft_exposure", kSkill, "warn", false, [](Facts& f, Options& o) { o.sft_packing = "separate"; o.sft_steps = 1; o.sft_grad_accum_steps = 1; o.sft_batch_size = 168'000; f.intent.reset(); }},
      {"sft_exposure", kSkill, "block", true, [](Facts& f, Options& o) { o.sft_packing = "separate"; o.sft_steps = 1; o.sft_grad_accum_steps = 1; o.sft_batch_size = 168'001; f.intent.reset(); }},
      {"sft_exposure", kSkill, "not_measured", true, [](Facts& f, Options&) { f.chat.reset(); }},
      {"sft_lr", kSkill, "pass", false, [](Facts&, Options& o) { o.sft_learning_rate = o.base_learning_rate; }},
      {"sft_lr", kSkill, "warn", false, [](Facts&, Options& o) { o.sft_learning_rate = o.base_learning_rate * 1.01; }},
      {"sft_lr", kResearch, "pass", false, [](Facts&, Options& o) { o.sft_learning_rate = o.base_learning_rate * 2; }},
      {"sft_lr", kResearch, "block", true, [](Facts&, Options& o) { o.sft_learning_rate = 0; }},
      {"sft_effective_lr", kResearch, "absent", false, [](Facts&, Options&) {}},
      {"sft_effective_lr", kSkill, "pass", false, [](Facts&, Options& o) { o.sft_learning_rate = 1e-4; }},
      {"sft_effective_lr", kSkill, "warn", false, [](Facts&, Options& o) { o.sft_learning_rate = 1.01e-4; }},
      {"sft_effective_lr", kSkill, "block", true, [](Facts&, Options& o) { o.sft_learning_rate = 0; }},

      // Eval
      {"eval_readiness", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"eval_readiness", kResearch, "warn", false, [](Facts& f, Options&) { f.eval->status = "caution"; }},
      {"eval_readiness", kResearch, "block", true, [](Facts& f, Options&) { f.eval->status = "blocked"; }},
      {"eval_readiness", kSkill, "not_measured", true, [](Facts& f, Options&) { f.eval.reset(); }},
      {"eval_rows", kResearch, "pass", false, [](Facts& f, Options&) { f.eval->items = 100; }},
      {"eval_rows", kResearch, "warn", false, [](Facts& f, Options&) { f.eval->items = 6; }},
      {"eval_rows", kSkill, "warn", false, [](Facts& f, Options&) { f.eval->items = 80; }},
      {"eval_rows", kSkill, "block", true, [](Facts& f, Options&) { f.eval->items = 79; }},
      {"eval_rows", kResearch, "not_measured", false, [](Facts& f, Options&) { f.eval.reset(); }},
      {"eval_rules", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"eval_rules", kResearch, "warn", false, [](Facts& f, Options&) { f.eval->items_without_rules = 1; }},
      {"eval_rules", kSkill, "block", true, [](Facts& f, Options&) { f.eval->items_without_rules = 1; }},
      {"eval_rules", kSkill, "not_measured", true, [](Facts& f, Options&) { f.eval.reset(); }},
      {"unanswerable_eval", kSkill, "pass", false, [](Facts& f, Options&) { f.eval->unanswerable_items = 2; }},
      {"unanswerable_eval", kSkill, "warn", false, [](Facts& f, Options&) { f.eval->unanswerable_items = 1; }},
      {"unanswerable_eval", kSkill, "not_measured", true, [](Facts& f, Options&) { f.eval.reset(); }},
      {"eval_splits", kSkill, "pass", false, [](Facts&, Options&) {}},
      {"eval_splits", kSkill, "warn", false, [](Facts& f, Options&) { f.eval->splits = {{"default", 700}}; }},
      {"eval_splits", kSkill, "not_measured", true, [](Facts& f, Options&) { f.eval.reset(); }},
      {"eval_skill_release_coverage", kFirst, "absent", false, [](Facts&, Options&) {}},
      {"eval_skill_release_coverage", kSkill, "pass", false, [](Facts&, Options&) {}},
      {"eval_skill_release_coverage", kSkill, "block", true, [](Facts& f, Options&) { f.eval->categories["bench_math_addition"] = 0; }},
      {"eval_skill_release_coverage", kSkill, "not_measured", true, [](Facts& f, Options&) { f.eval.reset(); }},

      // Honesty: integrity, so the profile makes no difference
      {"data_honesty", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"data_honesty", kResearch, "warn", false, [](Facts& f, Options&) { f.honesty->status = "caution"; }},
      {"data_honesty", kResearch, "block", true, [](Facts& f, Options&) { f.honesty->status = "blocked"; }},
      {"data_honesty", kSkill, "not_measured", true, [](Facts& f, Options&) { f.honesty.reset(); }},
      {"contamination", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"contamination", kResearch, "pass", false, [](Facts& f, Options&) { f.honesty->pairs.push_back({"base_corpus_vs_sft", "high", ""}); }},
      {"contamination", kResearch, "warn", false, [](Facts& f, Options&) { f.honesty->pairs[1].risk = "medium"; }},
      {"contamination", kResearch, "block", true, [](Facts& f, Options&) { f.honesty->blocking_findings = 1; }},
      {"contamination", kResearch, "not_measured", false, [](Facts& f, Options&) { f.honesty->pairs[0].risk = "not_measured"; }},
      {"contamination", kSkill, "not_measured", true, [](Facts& f, Options&) { f.honesty->pairs.clear(); }},
      {"release_data_honesty", kResearch, "absent", false, [](Facts&, Options&) {}},
      {"release_data_honesty", kSkill, "pass", false, [](Facts&, Options&) {}},
      {"release_data_honesty", kSkill, "pass", false, [](Facts& f, Options&) { f.honesty->corpus_support_phrase_hits = 1; }},
      {"release_data_honesty", kSkill, "warn", false, [](Facts& f, Options&) { f.honesty->corpus_prompt_hits = 1; }},
      {"release_data_honesty", kSkill, "block", true, [](Facts& f, Options&) { f.honesty->corpus_prompt_hits = f.honesty->corpus_prompts_in_full = 1; }},
      {"release_data_honesty", kSkill, "not_measured", true, [](Facts& f, Options&) { f.honesty->corpus_prompt_hits.reset(); }},
      {"external_contamination_arc", kResearch, "pass", false, [](Facts& f, Options&) { f.honesty->external = {{"arc", 570, 0}}; }},
      {"external_contamination_arc", kResearch, "warn", false, [](Facts& f, Options&) { f.honesty->external = {{"arc", 570, 57}}; }},
      {"external_contamination_arc", kResearch, "block", true, [](Facts& f, Options&) { f.honesty->external = {{"arc", 570, 58}}; }},

      // Release and host
      {"external_benchmark_ready", kResearch, "pass", false, [](Facts& f, Options&) { f.external.clear(); }},
      {"external_benchmark_ready", kSkill, "warn", false, [](Facts& f, Options&) { f.external.clear(); }},
      {"external_benchmark_ready", kSkill, "pass", false, [](Facts& f, Options&) { f.external[0].rows = 50; }},
      {"external_benchmark_ready", kSkill, "block", true, [](Facts& f, Options&) { f.external[0].rows = 49; }},
      {"external_benchmark_ready", kResearch, "warn", false, [](Facts& f, Options&) { f.external[0].rows = 49; }},
      {"external_benchmark_ready", kResearch, "block", true, [](Facts& f, Options&) { f.external[0].rows.reset(); }},
      {"attention_backend_runtime", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"attention_backend_runtime", kResearch, "block", true, [](Facts&, Options& o) { o.attn_backend = "flash"; }},
      {"attention_backend_runtime", kSkill, "pass", false, [](Facts&, Options&) {}},
      {"attention_backend_runtime", kSkill, "block", true, [](Facts&, Options& o) { o.precision = "float32"; }},
      {"attention_backend_runtime", kSkill, "block", true, [](Facts&, Options& o) { o.attn_backend = "fa3"; }},
      {"attention_backend_runtime", kSkill, "not_measured", true, [](Facts& f, Options&) { f.device->attention_backends.clear(); }},
      {"attention_backend_runtime", kSkill, "not_measured", true, [](Facts& f, Options&) { f.device.reset(); }},
      {"attention_backend_runtime", kSkill, "deferred_to_host", false, [](Facts& f, Options&) { f.device = DeviceFacts{.deferred = true}; }},
      {"attention_backend_runtime", kSkill, "deferred_to_host", true, [](Facts& f, Options&) { f.device = DeviceFacts{.deferred = true}; f.training_starts = true; }},
      {"ddp_muon_optimizer", kResearch, "pass", false, [](Facts&, Options& o) { o.ddp = true; }},
      {"ddp_muon_optimizer", kResearch, "warn", false, [](Facts&, Options& o) { o.ddp = true; o.sft_optimizer = "muon"; }},
      {"ddp_scale_launch", kSkill, "absent", false, [](Facts&, Options&) {}},
      {"ddp_scale_launch", kSkill, "pass", false, [](Facts&, Options& o) { o.scale = "h100-100m-ddp8"; o.ddp = true; o.ddp_world_size = 8; }},
      {"ddp_scale_launch", kSkill, "block", true, [](Facts&, Options& o) { o.scale = "h100-100m-ddp8"; o.ddp = true; o.ddp_world_size = 4; }},
      {"ddp_scale_launch", kResearch, "warn", false, [](Facts&, Options& o) { o.scale = "h100-100m-ddp8"; o.ddp = true; o.ddp_world_size = 4; }},
      {"ddp_scale_launch", kResearch, "block", true, [](Facts&, Options& o) { o.scale = "h100-100m-ddp8"; }},
      {"sanity_passed", kResearch, "pass", false, [](Facts& f, Options&) { f.sanity.reset(); }},
      {"sanity_passed", kSkill, "pass", false, [](Facts&, Options&) {}},
      {"sanity_passed", kSkill, "block", true, [](Facts& f, Options&) { f.sanity->status = "failed"; }},
      {"sanity_passed", kResearch, "warn", false, [](Facts& f, Options& o) { o.device = "cuda"; f.sanity->status = "failed"; }},
      {"sanity_passed", kSkill, "not_measured", true, [](Facts& f, Options&) { f.sanity.reset(); }},
      {"sanity_passed", kSkill, "not_measured", true, [](Facts& f, Options&) { f.sanity->device = "cpu"; }},
      {"sanity_passed", kSkill, "not_measured", true, [](Facts& f, Options&) { f.sanity->this_host = false; }},
      {"sanity_passed", kSkill, "pass", false, [](Facts& f, Options&) { f.sanity->this_host = false, f.device->deferred = true; }},
      {"sanity_passed", kSkill, "deferred_to_host", false, [](Facts& f, Options&) { f.sanity.reset(); f.device->deferred = true; }},
      {"memory_fit", kSkill, "pass", false, [](Facts& f, Options&) { f.device->predicted_peak_bytes = *f.device->memory_bytes / 10 * 9; }},
      {"memory_fit", kSkill, "warn", false, [](Facts& f, Options&) { f.device->predicted_peak_bytes = *f.device->memory_bytes; }},
      {"memory_fit", kResearch, "block", true, [](Facts& f, Options&) { f.device->predicted_peak_bytes = *f.device->memory_bytes + 1; }},
      {"memory_fit", kResearch, "warn", false, [](Facts& f, Options&) { f.device->memory_bytes = 1 << 20; }},
      {"memory_fit", kSkill, "block", true, [](Facts& f, Options&) { f.device->memory_bytes = 1 << 20; }},
      {"memory_fit", kSkill, "not_measured", true, [](Facts& f, Options&) { f.device->memory_bytes.reset(); }},
      {"memory_fit", kSkill, "deferred_to_host", false, [](Facts& f, Options&) { f.device = DeviceFacts{.deferred = true}; }},
      {"disk_fit", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"disk_fit", kResearch, "warn", false, [](Facts& f, Options& o) { f.device->disk_free_bytes = estimate_disk_bytes(o, compute_budget(o, budget_inputs(f))); }},
      {"disk_fit", kResearch, "block", true, [](Facts& f, Options&) { f.device->disk_free_bytes = 1 << 20; }},
      {"disk_fit", kResearch, "not_measured", false, [](Facts& f, Options&) { f.device->disk_free_bytes.reset(); }},
      {"disk_fit", kSkill, "deferred_to_host", false, [](Facts& f, Options&) { f.device = DeviceFacts{.deferred = true}; }},
      {"time_cost", kResearch, "pass", false, [](Facts&, Options&) {}},
      {"time_cost", kResearch, "warn", false, [](Facts&, Options& o) { o.base_max_minutes = 1; }},
      {"time_cost", kResearch, "not_measured", false, [](Facts& f, Options&) { f.device->tokens_per_second.reset(); }},
      {"time_cost", kSkill, "pass", false, [](Facts& f, Options&) { f.device->tokens_per_second.reset(); }},  // the table knows an H200
      {"time_cost", kSkill, "deferred_to_host", false, [](Facts& f, Options&) { f.device = DeviceFacts{.deferred = true}; }},
  };
  return table;
}

TEST(Preflight, EveryCheckFromBothSides) {
  for (const auto& c : cases()) {
    Plan plan = ready_plan(c.profile);
    c.spoil(plan.facts, plan.options);
    const Preflight p = judge_preflight(plan.facts, plan.options);
    const Check* check = p.find(c.check);
    const std::string label = base::cat(c.check, " under ", c.profile, ", row ", &c - cases().data());
    ASSERT_EQ(check ? to_text(check->status) : "absent", c.status) << label << "\n" << preflight_table(p);
    if (!check) continue;
    EXPECT_EQ(check->blocks, c.blocks) << label;
    if (check->blocks) {
      EXPECT_EQ(p.status, "blocked") << label;
    }
    EXPECT_EQ(check->status == CheckStatus::kPass, check->remedy.empty()) << label << ": a finding says what to do, a pass says nothing";
    EXPECT_FALSE(check->metric.empty() || check->message.empty()) << label;
  }
}

TEST(Preflight, NoCheckIsConstant) {
  std::map<std::string, std::set<std::string>> reached;
  for (const auto& c : cases()) reached[c.check].insert(c.status);
  std::set<std::string> emitted;
  for (const auto& c : cases()) {
    Plan plan = ready_plan(c.profile);
    c.spoil(plan.facts, plan.options);
    for (const auto& check : judge_preflight(plan.facts, plan.options).checks) emitted.insert(check.name);
  }
  for (const auto& name : emitted) {
    reached[name].erase("absent");
    EXPECT_GE(reached[name].size(), 2u) << name;
    EXPECT_TRUE(reached[name].count("pass")) << name;
  }
}

// The table of docs/preflight.md, from what the checks themselves say in every case above.
std::string documented_table() {
  struct Row {
    std::string group, rule;
    std::set<std::string> statuses;
    std::vector<std::string> remedies;
  };
  std::vector<std::string> order;
  std::map<std::string, Row> rows;
  static const std::regex plan_number("(--(?:base-steps|base-learning-rate|sft-learning-rate)) [0-9.e-]+");
  auto collect = [&](const Preflight& p, const std::set<std::string>& wanted) {
    for (const auto& check : p.checks) {
      if (!wanted.contains(check.name)) continue;
      if (!rows.contains(check.name)) order.push_back(check.name);
      Row& row = rows[check.name];
      row.group = check.group;
      if (row.rule.empty()) row.rule = check.threshold;
      row.statuses.insert(to_text(check.status));
      const std::string remedy = std::regex_replace(check.remedy, plan_number, "$1 N");
      if (!remedy.empty() && std::find(row.remedies.begin(), row.remedies.end(), remedy) == row.remedies.end()) row.remedies.push_back(remedy);
    }
  };
  for (const char* profile : {kSkill, kFirst, kResearch}) {  // the order of a report
    const Preflight p = judge_preflight(ready_plan(profile).facts, ready_plan(profile).options);
    std::set<std::string> all;
    for (const auto& check : p.checks) all.insert(check.name);
    collect(p, all);
  }
  for (const auto& c : cases()) {
    Plan plan = ready_plan(c.profile);
    c.spoil(plan.facts, plan.options);
    collect(judge_preflight(plan.facts, plan.options), {c.check});
  }
  std::string out = "| check | rule | statuses | what to do |\n| --- | --- | --- | --- |\n";
  auto cell = [](const std::string& text) { return base::replace_all(text, "|", "\\|"); };
  std::vector<std::string> groups;
  for (const auto& name : order)
    if (std::find(groups.begin(), groups.end(), rows[name].group) == groups.end()) groups.push_back(rows[name].group);
  for (const auto& group : groups) {
    out += base::cat("| **", group, "** | | | |\n");
    for (const auto& name : order) {
      const Row& row = rows[name];
      if (row.group != group) continue;
      std::vector<std::string> statuses(row.statuses.begin(), row.statuses.end());
      out += base::cat("| ", name.starts_with("external_contamination_") ? "external_contamination_NAME" : name, " | ", cell(row.rule), " | ", base::join(statuses, ", "), " | ",
                       cell(base::join(row.remedies, "; or ")), " |\n");
    }
  }
  return out;
}

TEST(Preflight, TheDocumentSaysWhatTheChecksSay) {
  const std::string document = base::read_file(base::Path(kSourceDir) / "docs/preflight.md"), table = documented_table();
  const size_t begin = document.find("| check | rule |"), end = std::min(document.find("\n\n", begin), document.size());
  const std::string documented = begin == std::string::npos ? "" : document.substr(begin, end - begin + 1);
  EXPECT_TRUE(documented == table) << "docs/preflight.md differs from the checks, which say:\n" << table;
}

TEST(Preflight, EveryCheckOfTheReferenceIsThereByName) {
  const auto research = judge_preflight(ready_plan(kResearch).facts, ready_plan(kResearch).options);
  const auto skill = judge_preflight(ready_plan(kSkill).facts, ready_plan(kSkill).options);
  for (const char* name : {"corpus_readiness", "documents", "duplicate_documents", "near_duplicate_documents", "duplicate_lines", "corpus_size",
                           "document_split", "bpe_vocab_size", "tokenizer_corpus_fit", "attention_backend_runtime", "compute_optimal_horizon",
                           "corpus_model_fit", "base_exposure", "effective_batch", "base_lr", "lr_batch_scaling", "residual_init_scale",
                           "document_boundaries", "chat_sft_readiness", "sft_rows", "sft_duplicate_prompts", "sft_category_balance", "sft_answer_length",
                           "sft_exposure", "sft_lr", "sft_lr_batch_scaling", "eval_readiness", "eval_rows", "eval_rules", "unanswerable_eval",
                           "eval_splits", "data_honesty", "contamination", "external_benchmark_ready", "sanity_passed", "memory_fit", "disk_fit",
                           "time_cost", "tokenizer_fit", "license_known", "provenance_complete"}) {
    EXPECT_NE(research.find(name), nullptr) << name;
    EXPECT_NE(skill.find(name), nullptr) << name;
  }
  EXPECT_NE(skill.find("release_token_budget"), nullptr);
  EXPECT_NE(skill.find("eval_skill_release_coverage"), nullptr);
}

TEST(Preflight, AShortCpuRunWithoutRecordsOfItsSourcesMayStart) {
  Plan plan = ready_plan(kResearch);
  plan.facts.sanity.reset();
  plan.facts.external.clear();
  plan.facts.corpus->sources_with_license.reset();
  plan.facts.corpus->sources_with_provenance.reset();
  plan.facts.device->tokens_per_second.reset();
  plan.facts.training_starts = true;
  const Preflight p = judge_preflight(plan.facts, plan.options);
  EXPECT_EQ(p.status, "ready");
  EXPECT_EQ(p.summary, "ready (3 not measured)");
  EXPECT_EQ(exit_code(p), base::ExitCode::kDone);
}

TEST(Preflight, ALaptopDefersTheHost) {
  Plan plan = ready_plan(kSkill);
  plan.facts.device = DeviceFacts{.deferred = true};
  plan.facts.sanity.reset();
  Preflight p = judge_preflight(plan.facts, plan.options);
  EXPECT_EQ(p.status, "ready");
  EXPECT_EQ(p.summary, "ready (5 deferred)");
  plan.facts.training_starts = true;
  p = judge_preflight(plan.facts, plan.options);
  EXPECT_EQ(p.status, "blocked");
  EXPECT_EQ(exit_code(p), base::ExitCode::kBlocked);
}

TEST(Preflight, NothingMeasuredBlocksARelease) {
  RunOptions options;
  EXPECT_FALSE(judge_preflight({}, options).blocked());  // research: open, and the summary says how much
  EXPECT_THAT(judge_preflight({}, options).summary, HasSubstr("not measured"));
  options.long_run_gate_profile = "first_release";
  EXPECT_EQ(judge_preflight({}, options).status, "blocked");
}

TEST(Preflight, ReportHoldsTheReferenceKeys) {
  Plan plan = ready_plan(kSkill);
  plan.facts.chat->examples = 299;
  plan.facts.corpus->documents = 99;
  plan.facts.corpus->duplicate_line_rate.reset();
  plan.facts.device->deferred = true;
  const Preflight p = judge_preflight(plan.facts, plan.options);
  const Json json = to_json(p);
  EXPECT_EQ(json.at("status"), "blocked");
  EXPECT_EQ(json.at("profile"), "skill_release");
  EXPECT_EQ(json.at("blocking_checks"), (Json{"duplicate_lines", "sft_rows", "sft_exposure"}));
  EXPECT_THAT(json.at("warning_checks").dump(), HasSubstr("documents"));
  EXPECT_EQ(json.at("not_measured_checks"), Json{"duplicate_lines"});
  EXPECT_EQ(json.at("deferred_checks"), Json{"attention_backend_runtime"});
  for (const char* key : {"estimated_parameters", "estimated_corpus_tokens", "corpus_token_note", "corpus_tokens_per_parameter", "ddp_world_size",
                          "base_effective_batch_size", "sft_effective_batch_size", "base_effective_tokens_per_step", "base_planned_tokens",
                          "target_param_data_ratio", "target_training_tokens", "target_training_epochs", "recommended_base_steps",
                          "recommended_base_tokens", "recommended_base_epochs", "planned_to_target_ratio", "sft_planned_example_updates",
                          "estimated_base_epochs", "estimated_sft_example_epochs", "base_lr_reference_effective_batch", "base_lr_sqrt_scale",
                          "sft_lr_sqrt_scale", "auto_lr_scaling", "base_effective_learning_rate", "sft_effective_learning_rate", "long_run",
                          "long_run_reason"})
    EXPECT_TRUE(json.at("budget").contains(key)) << key;
  const std::string markdown = preflight_markdown(p), table = preflight_table(p);
  for (const auto& check : p.checks) {
    EXPECT_THAT(markdown, HasSubstr(base::cat("| ", check.name, " |")));
    EXPECT_THAT(table, HasSubstr(check.name));
    EXPECT_THAT(table, HasSubstr(check.remedy));
  }
  EXPECT_LT(table.find("sft_rows"), table.find("chat_sft_readiness")) << "what blocks stands first";
}

TEST(Preflight, FactsReadBackGiveTheSameReport) {
  for (const char* profile : {kResearch, kSkill}) {
    Plan plan = ready_plan(profile);
    plan.facts.chat->sequences = 500;
    plan.facts.honesty->external = {{"arc", 570, 3}};
    plan.facts.corpus->sources_with_license.reset();
    const Json json = to_json(plan.facts);
    const Facts again = preflight_facts_from_json(base::parse_json(base::dump(json), "facts"), "facts");
    EXPECT_EQ(to_json(again), json);
    EXPECT_EQ(to_json(judge_preflight(again, plan.options)), to_json(judge_preflight(plan.facts, plan.options)));
  }
  Json json = to_json(ready_plan(kSkill).facts);
  json["corpus"].erase("documents");
  EXPECT_THROW(preflight_facts_from_json(json, "facts"), base::Error);
  json = to_json(ready_plan(kSkill).facts);
  json["corpus"]["documents"] = "many";
  EXPECT_THROW(preflight_facts_from_json(json, "facts"), base::Error);
  json = to_json(ready_plan(kSkill).facts);
  json["corpus"]["docs"] = 3;
  EXPECT_THROW(preflight_facts_from_json(json, "facts"), base::Error);
}

TEST(Preflight, ASampleSaysHowSureItIs) {
  Plan plan = ready_plan(kSkill);
  plan.facts.corpus->tokens.reset();
  plan.facts.corpus->documents = 0;
  plan.facts.corpus->characters = 800'000'000;
  plan.facts.corpus->tokens_per_character = 0.2230;
  plan.facts.corpus->tokens_per_character_stderr = 0.0005;
  plan.facts.corpus->documents = 100'000;
  const Preflight p = judge_preflight(plan.facts, plan.options);
  EXPECT_EQ(p.budget.corpus_tokens_source, "sampled");
  EXPECT_EQ(*p.budget.corpus_tokens_margin, static_cast<int64_t>(1.96 * 0.0005 * 800'000'000));
  EXPECT_THAT(p.budget.corpus_token_note, HasSubstr("+- 0.44%"));
  // 178.6M tokens for a target of 2,139M: 11.98 epochs, and 12 is inside the interval.
  EXPECT_EQ(p.find("corpus_model_fit")->status, CheckStatus::kPass);
  EXPECT_THAT(p.find("corpus_model_fit")->message, HasSubstr("12 epochs lies inside the sample's interval"));
  plan.facts.corpus->tokens_per_character_stderr = 0.00001;
  EXPECT_THAT(judge_preflight(plan.facts, plan.options).find("corpus_model_fit")->message, ::testing::Not(HasSubstr("inside")));
}

TEST(Preflight, CostFollowsThePriceAndTheRanks) {
  Plan plan = ready_plan(kSkill);
  plan.options.gpu_hourly_usd = 3;
  plan.facts.device->tokens_per_second = 1'000'000;
  const Preflight p = judge_preflight(plan.facts, plan.options);
  const double hours = (2'162'688'000.0 + 180 * 32 * 512) / 1e6 / 3600;
  EXPECT_THAT(p.find("time_cost")->metric, HasSubstr(base::cat(base::fixed(hours * 3, 2), " USD")));
  EXPECT_THAT(p.find("time_cost")->metric, HasSubstr("dry_run"));
}

}  // namespace
}  // namespace picochat::gate
