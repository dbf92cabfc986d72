// The report of a check. Keys: docs/honesty.md.
#include <cmath>

#include "honesty/check.hpp"
#include "picochat/base/text.hpp"

namespace picochat::honesty {
namespace {

using base::cat;
using base::Json;

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

}  // namespace

Json Check::pair(const std::string& name, bool measured, const char* reason, size_t references, size_t targets, const PairTally& tally) const {
  Json out = {{"name", name}, {"checked", measured}, {"reason", measured ? "" : reason}, {"reference_items", references}, {"target_items", targets}};
  if (!measured) {
    out["risk"] = "not_checked";
    return out;
  }
  const auto n = static_cast<size_t>(inputs_.ngram_size);
  const bool high = tally.exact > 0 || (tally.longest >= n && tally.coverage >= kBlockingCoverage);
  const bool medium = tally.near > 0 || tally.longest >= 2 * n;
  out["risk"] = high ? "high" : medium ? "medium" : tally.longest >= n ? "low" : "clean";
  out["exact_text_hits"] = tally.exact;
  out["near_text_hits"] = tally.near;
  out["max_text_similarity"] = rounded(tally.similarity);
  out["max_run_coverage"] = rounded(tally.coverage);
  out["max_longest_overlap_tokens"] = tally.longest;
  return out;
}

Json Check::report() {
  const bool have_chat = material_.chat.has_value(), have_eval = material_.eval.has_value();
  const bool both = have_chat && have_eval, corpus = have_eval && corpus_checked_;
  const bool all_measured = both && corpus_checked_;
  const char* status = ledger_.blocks() > 0 ? "blocked" : ledger_.warnings() > 0 || !all_measured ? "caution" : "ready";
  auto measured = [](bool yes, int64_t count) { return yes ? Json(count) : Json("not_measured"); };
  std::vector<std::string> parts;
  if (ledger_.blocks() > 0) parts.push_back(cat(ledger_.blocks(), " blocking findings"));
  if (ledger_.warnings() > 0) parts.push_back(cat(ledger_.warnings(), " warnings"));
  if (!have_chat) parts.push_back("SFT rows not measured");
  if (!have_eval) parts.push_back("eval rows not measured");
  if (!corpus_checked_) parts.push_back("corpus not measured");
  const size_t sft_items = have_chat ? material_.chat->size() : 0, eval_items = have_eval ? material_.eval->size() : 0;
  const auto documents = static_cast<size_t>(documents_);
  Json out = Json::object();
  out["status"] = status;
  out["summary"] = parts.empty() ? "no overlap of eval with SFT rows or corpus" : base::join(parts, ", ");
  out["corpus_path"] = inputs_.corpus_label;
  out["chat_input"] = inputs_.chat.string();
  out["eval_input"] = inputs_.eval.string();
  out["near_threshold"] = inputs_.near_threshold;
  out["ngram_size"] = inputs_.ngram_size;
  out["num_sft_examples"] = measured(have_chat, static_cast<int64_t>(sft_items));
  out["num_eval_items"] = measured(have_eval, static_cast<int64_t>(eval_items));
  out["num_corpus_documents"] = measured(corpus_checked_, documents_);
  out["corpus_bytes"] = measured(corpus_checked_, corpus_bytes_);
  out["exact_prompt_leaks"] = measured(both, ledger_.count("exact_sft_prompt_leak"));
  out["near_prompt_leaks"] = measured(both, ledger_.count("near_sft_prompt_leak"));
  out["eval_prompts_in_sft"] = measured(both, ledger_.count("eval_prompt_in_sft"));
  out["corpus_prompt_hits"] = measured(corpus, static_cast<int64_t>(corpus_prompts_.size()));
  out["sft_support_phrase_hits"] = measured(both, static_cast<int64_t>(sft_support_.size()));
  out["corpus_support_phrase_hits"] = measured(corpus, static_cast<int64_t>(corpus_support_.size()));
  out["duplicate_eval_prompts"] = measured(have_eval, ledger_.count("duplicate_eval_prompt"));
  out["max_sft_prompt_similarity"] = both ? Json(rounded(max_similarity_)) : Json("not_measured");
  out["blocking_findings"] = ledger_.blocks();
  out["warning_findings"] = ledger_.warnings();
  Json matrix = Json::array({
      pair("base_corpus_vs_sft", have_chat && corpus_checked_, "no corpus or no SFT rows", documents, sft_items, corpus_sft_),
      pair("base_corpus_vs_eval", corpus, "no corpus or no eval rows", documents, eval_items, corpus_eval_),
      pair("sft_vs_eval", both, "no SFT rows or no eval rows", sft_items, eval_items, sft_eval_),
  });
  Json external = Json::array();
  for (size_t i = 0; i < external_.size(); ++i) {
    const External& of = material_.external[i];
    const ExternalState& state = external_[i];
    const size_t rows = of.file ? of.file->rows.size() : 0;
    matrix.push_back(pair(cat("base_corpus_vs_external_", of.name), of.file && corpus_checked_, "no corpus, or the benchmark could not be read", documents, rows, state.corpus));
    matrix.push_back(pair(cat("sft_vs_external_", of.name), of.file && have_chat, "no SFT rows, or the benchmark could not be read", sft_items, rows, state.sft));
    if (!of.file) continue;
    std::set<uint32_t> flagged = state.in_corpus;
    flagged.insert(state.in_sft.begin(), state.in_sft.end());
    Json lines = Json::array();
    for (uint32_t row : flagged) lines.push_back(of.file->rows[row].line);
    external.push_back({{"name", of.name}, {"path", of.path.string()}, {"layout", of.file->layout}, {"rows", rows}, {"flagged_rows", flagged.size()},
                        {"rows_in_corpus", measured(corpus_checked_, static_cast<int64_t>(state.in_corpus.size()))},
                        {"rows_in_sft", measured(have_chat, static_cast<int64_t>(state.in_sft.size()))}, {"flagged_lines", std::move(lines)}});
  }
  out["contamination_matrix"] = std::move(matrix);
  if (!external.empty()) out["external"] = std::move(external);
  out["findings_not_listed"] = ledger_.not_listed();
  out["findings"] = ledger_.take_list();
  return out;
}

}  // namespace picochat::honesty
