// May this model be called released? A pure function of recorded evidence: the same files give the
// same verdict anywhere, and what is missing or altered is a block, never a pass. Rules and
// thresholds: docs/gate.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/gate/facts.hpp"
#include "picochat/gate/interval.hpp"
#include "picochat/gate/status.hpp"

namespace picochat::gate {

// Rows and how many of them passed.
struct Tally {
  int64_t n = 0, passed = 0;
};

struct PreflightEvidence {
  std::string status;  // ready | warn | blocked
  std::string profile;
  std::string digest;
  bool long_run = false;
};

// One eval report: the internal eval, a fit diagnostic, or an external benchmark.
struct EvalEvidence {
  std::string digest;                           // of the report
  std::string checkpoint, tokenizer, input;     // digests that the report says it used
  Tally overall, non_choice;                    // a row that could not be scored counts as not passed
  int64_t unscored = 0;
  Tally choice;                                 // choice rows, right answers
  std::optional<double> choice_random_baseline;
  Tally unsafe_refusal, benign_non_refusal;
  Tally prompt_echo;                            // generated rows, and how many echoed their prompt
  std::optional<double> unsupported_claim_rate; // absent: no row forbids anything
  std::map<std::string, Tally> categories, skill_stages;  // skill_stages: "math:math_l1_..."
};

struct ExternalEvidence {
  std::string name;
  EvalEvidence eval;
  std::optional<int64_t> flagged_rows;   // found in the training material
  std::optional<Tally> without_flagged;  // score over the other rows
};

// A file that is not what the evidence says it should be.
struct IntegrityFault {
  std::string name, expected, found;
};

struct GateEvidence {
  std::optional<PreflightEvidence> preflight;
  std::optional<HonestyFacts> honesty;
  std::optional<EvalEvidence> sft_fit, sft_fit_heldout, eval;
  std::vector<ExternalEvidence> external;
  // What was trained and judged: checkpoint, tokenizer, eval_input, corpus_manifest, honesty, preflight ...
  std::map<std::string, std::string> digests;
  std::vector<IntegrityFault> faults;  // found while the evidence was collected
};

base::Json to_json(const GateEvidence& evidence);  // gate_evidence.json
GateEvidence gate_evidence_from_json(const base::Json& json, const std::string& where);

// A threshold beside what was measured.
struct Measure {
  std::string name;
  std::optional<double> value;  // absent: not measured
  double threshold = 0;
  bool at_least = true;  // else the value must not exceed the threshold
  int64_t n = 0, minimum_n = 0;
  std::optional<Interval> interval;
  std::string result;  // "holds" | "fails" | "too_few" (fewer rows than the minimum) | "not_measured"
  bool threshold_inside_interval = false;
};

struct GateIssue {
  std::string name, severity;  // warn | block
  std::string message, remedy;
};

struct GateVerdict {
  std::string status;  // approved | warn | blocked
  std::string summary;
  GateProfile profile = GateProfile::kResearch;
  bool long_run = false;
  std::vector<Measure> measures;
  std::vector<GateIssue> issues;
  std::string weakest_category;  // with its rate; empty without an eval
  base::Json reference;          // the remaining keys of `long_run_gate`
};

GateVerdict judge(const GateEvidence& evidence, GateProfile profile);

base::Json to_json(const GateVerdict& verdict);             // summary.json -> long_run_gate, gate.json
std::string gate_markdown(const GateVerdict& verdict);
std::string gate_table(const GateVerdict& verdict);         // for a terminal
base::ExitCode exit_code(const GateVerdict& verdict);       // approved and warn: kDone; blocked: kBlocked

// Judges the evidence again and compares with a recorded verdict: what differs, one line each; empty when nothing does.
std::vector<std::string> replay_differences(const base::Json& recorded_verdict, const GateEvidence& evidence);

}  // namespace picochat::gate
