// Facts of a run that nothing is wrong with, for tests to spoil one at a time.
#pragma once

#include "picochat/gate/preflight.hpp"

namespace picochat::gate {

inline std::map<std::string, int64_t> skill_categories(int64_t each) {
  return {{"identity", each}, {"refusal", each}, {"bench_choice_science", each}, {"bench_math_addition", each}, {"bench_spelling_count", each}};
}

// A pack of `tokens` measured tokens with 2,800 SFT and 700 eval rows, on a host that fits.
inline PreflightFacts good_facts(int64_t tokens, const std::string& device = "cpu") {
  PreflightFacts f;
  f.corpus = CorpusFacts{.readiness = "ready", .readiness_summary = "all checks pass", .documents = 100'000, .characters = tokens * 4, .bytes = tokens * 4,
                         .duplicate_document_rate = 0.001, .near_duplicate_document_rate = 0.01, .duplicate_line_rate = 0.02,
                         .near_duplicate_documents_checked = 50'000, .tokens = tokens, .sources = 2, .sources_with_license = 2, .sources_with_provenance = 2};
  f.chat = ChatFacts{.status = "ready", .summary = "2800 chat examples are ready", .examples = 2800, .duplicate_user_rate = 0, .categories = skill_categories(560),
                     .average_assistant_words = 18, .average_characters = 240};
  f.eval = EvalFileFacts{.status = "ready", .summary = "700 eval items are ready", .items = 700, .unanswerable_items = 70, .categories = skill_categories(140),
                         .splits = {{"benchmark", 400}, {"behavior", 300}}, .choice_random_baseline = 0.25};
  f.honesty = HonestyFacts{.status = "ready", .summary = "clean", .exact_prompt_leaks = 0, .near_prompt_leaks = 0, .corpus_prompt_hits = 0,
                           .corpus_support_phrase_hits = 0, .pairs = {{"sft_vs_eval", "clean", ""}, {"base_corpus_vs_eval", "clean", ""}}};
  f.device = DeviceFacts{.resolved = device, .name = device == "cuda" ? "NVIDIA H200" : "cpu", .count = 8, .memory_bytes = int64_t{141} << 30, .bf16 = true,
                         .attention_backends = {"flash", "cudnn", "math"}, .disk_free_bytes = int64_t{2} << 40, .tokens_per_second = 50'000, .throughput_source = "dry_run"};
  f.sanity = SanityFacts{.status = "passed", .device = "NVIDIA H200"};
  f.external = {{.name = "arc-easy", .path = "arc.jsonl", .rows = 570}};
  return f;
}

inline ResolvedRunOptions resolved(const std::string& scale, base::Json flags = base::Json::object()) {
  flags["out_dir"] = "runs/x";
  flags["scale"] = scale;
  return resolve_run_options(flags);
}

// The facts that go with a resolved run: as many tokens as it plans to train on.
inline PreflightFacts good_facts(const ResolvedRunOptions& run, const std::string& device) {
  PreflightFacts f = good_facts(compute_budget(run.options, {}).base_planned_tokens, device);
  f.intent = run.intent;
  f.vocab_size = estimated_vocab_size(run.options);
  return f;
}

}  // namespace picochat::gate
