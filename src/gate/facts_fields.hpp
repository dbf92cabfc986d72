// The members of the fact records, for record.hpp.
#pragma once

#include "gate/record.hpp"
#include "picochat/gate/facts.hpp"

namespace picochat::gate {

template <typename V>
void fields(V& v, CorpusFacts& f) {
  v("readiness", f.readiness);
  v("readiness_summary", f.readiness_summary);
  v("digest", f.digest);
  v("documents", f.documents);
  v("characters", f.characters);
  v("bytes", f.bytes);
  v("duplicate_document_rate", f.duplicate_document_rate);
  v("near_duplicate_document_rate", f.near_duplicate_document_rate);
  v("duplicate_line_rate", f.duplicate_line_rate);
  v("near_duplicate_documents_checked", f.near_duplicate_documents_checked);
  v("tokens", f.tokens);
  v("tokens_per_character", f.tokens_per_character);
  v("tokens_per_character_stderr", f.tokens_per_character_stderr);
  v("sample_bytes", f.sample_bytes);
  v("documents_are_rows", f.documents_are_rows);
  v("sources", f.sources);
  v("sources_with_license", f.sources_with_license);
  v("sources_with_provenance", f.sources_with_provenance);
  v("sources_without_license", f.sources_without_license);
  v("sources_without_provenance", f.sources_without_provenance);
}

template <typename V>
void fields(V& v, ChatFacts& f) {
  v("status", f.status);
  v("summary", f.summary);
  v("digest", f.digest);
  v("examples", f.examples);
  v("duplicate_user_rate", f.duplicate_user_rate);
  v("categories", f.categories);
  v("average_assistant_words", f.average_assistant_words);
  v("average_characters", f.average_characters);
  v("sequences", f.sequences);
  v("supervised_tokens", f.supervised_tokens);
  v("masked_tokens", f.masked_tokens);
  v("rows_without_supervision", f.rows_without_supervision);
  v("skipped_long_rows", f.skipped_long_rows);
}

template <typename V>
void fields(V& v, EvalFileFacts& f) {
  v("status", f.status);
  v("summary", f.summary);
  v("digest", f.digest);
  v("items", f.items);
  v("items_without_rules", f.items_without_rules);
  v("unanswerable_items", f.unanswerable_items);
  v("categories", f.categories);
  v("splits", f.splits);
  v("choice_random_baseline", f.choice_random_baseline);
}

template <typename V>
void fields(V& v, ContaminationPair& f) {
  v("name", f.name);
  v("risk", f.risk);
  v("reason", f.reason);
}

template <typename V>
void fields(V& v, ExternalContamination& f) {
  v("name", f.name);
  v("rows", f.rows);
  v("flagged_rows", f.flagged_rows);
}

template <typename V>
void fields(V& v, HonestyFacts& f) {
  v("status", f.status);
  v("summary", f.summary);
  v("digest", f.digest);
  v("blocking_findings", f.blocking_findings);
  v("warning_findings", f.warning_findings);
  v("exact_prompt_leaks", f.exact_prompt_leaks);
  v("near_prompt_leaks", f.near_prompt_leaks);
  v("corpus_prompt_hits", f.corpus_prompt_hits);
  v("corpus_support_phrase_hits", f.corpus_support_phrase_hits);
  v("corpus_prompts_in_full", f.corpus_prompts_in_full);
  v("pairs", f.pairs);
  v("external", f.external);
  v("first_finding", f.first_finding);
}

template <typename V>
void fields(V& v, ExternalFileFacts& f) {
  v("name", f.name);
  v("path", f.path);
  v("digest", f.digest);
  v("rows", f.rows);
  v("problem", f.problem);
}

template <typename V>
void fields(V& v, DeviceFacts& f) {
  v("deferred", f.deferred);
  v("resolved", f.resolved);
  v("name", f.name);
  v("count", f.count);
  v("memory_bytes", f.memory_bytes);
  v("bf16", f.bf16);
  v("attention_backends", f.attention_backends);
  v("predicted_peak_bytes", f.predicted_peak_bytes);
  v("disk_free_bytes", f.disk_free_bytes);
  v("tokens_per_second", f.tokens_per_second);
  v("throughput_source", f.throughput_source);
}

template <typename V>
void fields(V& v, SanityFacts& f) {
  v("status", f.status);
  v("digest", f.digest);
  v("device", f.device);
  v("this_host", f.this_host);
  v("failed_checks", f.failed_checks);
}

}  // namespace picochat::gate
