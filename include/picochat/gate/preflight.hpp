// Is this run worth its money? Every check by name, judged from recorded facts alone, so the same
// facts give the same verdict on any machine. Rules and thresholds: docs/preflight.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/gate/budget.hpp"
#include "picochat/gate/facts.hpp"
#include "picochat/gate/run_options.hpp"
#include "picochat/gate/status.hpp"

namespace picochat::gate {

struct PreflightFacts {
  std::optional<CorpusFacts> corpus;
  std::optional<ChatFacts> chat;
  std::optional<EvalFileFacts> eval;
  std::optional<HonestyFacts> honesty;
  std::optional<DeviceFacts> device;
  std::optional<SanityFacts> sanity;
  std::vector<ExternalFileFacts> external;
  std::optional<int64_t> vocab_size;    // of the trained tokenizer
  std::optional<PresetIntent> intent;   // ResolvedRunOptions::intent
  bool training_starts = false;         // what was deferred to the host must be known by now
};

base::Json to_json(const PreflightFacts& facts);
PreflightFacts preflight_facts_from_json(const base::Json& json, const std::string& where);

struct Check {
  std::string name, group;
  CheckStatus status = CheckStatus::kPass;
  std::string metric, threshold, message;
  std::string remedy;   // what to do; empty when it passed
  bool blocks = false;  // stops this run: block, or not_measured under a release profile
};

struct Note {
  std::string name, text;
};

struct Preflight {
  std::string status;   // ready | warn | blocked
  std::string summary;  // "ready (3 deferred)", "blocked: release_token_budget, sft_rows"
  GateProfile profile = GateProfile::kResearch;
  Budget budget;
  std::vector<Check> checks;
  std::vector<Note> notes;

  bool blocked() const { return status == "blocked"; }
  const Check* find(const std::string& name) const;
};

Preflight judge_preflight(const PreflightFacts& facts, const RunOptions& options);

BudgetInputs budget_inputs(const PreflightFacts& facts);

base::Json to_json(const Preflight& preflight);             // preflight.json
std::string preflight_markdown(const Preflight& preflight);  // preflight.md
std::string preflight_table(const Preflight& preflight);     // for a terminal: findings first, each with its remedy
base::ExitCode exit_code(const Preflight& preflight);        // kDone or kBlocked

}  // namespace picochat::gate
