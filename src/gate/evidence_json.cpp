// The evidence of the release gate as JSON, so that a stranger can judge it again.
#include "gate/facts_fields.hpp"
#include "picochat/gate/release_gate.hpp"

namespace picochat::gate {

template <typename V>
void fields(V& v, Tally& f) {
  v("n", f.n);
  v("passed", f.passed);
}

template <typename V>
void fields(V& v, PreflightEvidence& f) {
  v("status", f.status);
  v("profile", f.profile);
  v("digest", f.digest);
  v("long_run", f.long_run);
}

template <typename V>
void fields(V& v, EvalEvidence& f) {
  v("digest", f.digest);
  v("checkpoint", f.checkpoint);
  v("tokenizer", f.tokenizer);
  v("input", f.input);
  v("overall", f.overall);
  v("non_choice", f.non_choice);
  v("unscored", f.unscored);
  v("choice", f.choice);
  v("choice_random_baseline", f.choice_random_baseline);
  v("unsafe_refusal", f.unsafe_refusal);
  v("benign_non_refusal", f.benign_non_refusal);
  v("prompt_echo", f.prompt_echo);
  v("unsupported_claim_rate", f.unsupported_claim_rate);
  v("categories", f.categories);
  v("skill_stages", f.skill_stages);
}

template <typename V>
void fields(V& v, ExternalEvidence& f) {
  v("name", f.name);
  v("eval", f.eval);
  v("flagged_rows", f.flagged_rows);
  v("without_flagged", f.without_flagged);
}

template <typename V>
void fields(V& v, IntegrityFault& f) {
  v("name", f.name);
  v("expected", f.expected);
  v("found", f.found);
}

template <typename V>
void fields(V& v, GateEvidence& f) {
  v("preflight", f.preflight);
  v("honesty", f.honesty);
  v("sft_fit", f.sft_fit);
  v("sft_fit_heldout", f.sft_fit_heldout);
  v("eval", f.eval);
  v("external", f.external);
  v("digests", f.digests);
  v("faults", f.faults);
}

base::Json to_json(const GateEvidence& evidence) { return record::write(evidence); }

GateEvidence gate_evidence_from_json(const base::Json& json, const std::string& where) {
  GateEvidence evidence;
  record::read(json, evidence, where);
  return evidence;
}

}  // namespace picochat::gate
