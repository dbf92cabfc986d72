#include "picochat/gate/preflight.hpp"

#include <algorithm>

#include "gate/facts_fields.hpp"
#include "gate/preflight_sheet.hpp"

namespace picochat::gate {

using base::cat;
using base::Json;

template <typename V>
void fields(V& v, PresetIntent& f) {
  v("base_effective_batch", f.base_effective_batch);
  v("sft_effective_batch", f.sft_effective_batch);
  v("world_size", f.world_size);
  v("base_learning_rate", f.base_learning_rate);
  v("sft_learning_rate", f.sft_learning_rate);
}

template <typename V>
void fields(V& v, PreflightFacts& f) {
  v("corpus", f.corpus);
  v("chat", f.chat);
  v("eval", f.eval);
  v("honesty", f.honesty);
  v("device", f.device);
  v("sanity", f.sanity);
  v("external", f.external);
  v("vocab_size", f.vocab_size);
  v("intent", f.intent);
  v("training_starts", f.training_starts);
}

Json to_json(const PreflightFacts& facts) { return record::write(facts); }

PreflightFacts preflight_facts_from_json(const Json& json, const std::string& where) {
  PreflightFacts facts;
  record::read(json, facts, where);
  return facts;
}

BudgetInputs budget_inputs(const PreflightFacts& facts) {
  BudgetInputs in;
  in.vocab_size = facts.vocab_size;
  if (facts.corpus) {
    in.documents = facts.corpus->documents;
    in.characters = facts.corpus->characters;
    in.corpus_tokens = facts.corpus->tokens;
    in.tokens_per_character = facts.corpus->tokens_per_character;
    in.tokens_per_character_stderr = facts.corpus->tokens_per_character_stderr;
  }
  if (facts.chat) {
    in.sft_rows = facts.chat->examples;
    in.sft_sequences = facts.chat->sequences;
    in.average_chat_characters = facts.chat->average_characters;
  }
  return in;
}

namespace {

std::vector<std::string> names_of(const std::vector<Check>& checks, bool (*wanted)(const Check&)) {
  std::vector<std::string> names;
  for (const auto& check : checks)
    if (wanted(check)) names.push_back(check.name);
  return names;
}

std::string summarise(const Preflight& p) {
  auto blocking = names_of(p.checks, [](const Check& c) { return c.blocks; });
  auto warning = names_of(p.checks, [](const Check& c) { return c.status == CheckStatus::kWarn; });
  auto count = [&](CheckStatus status) {
    return std::count_if(p.checks.begin(), p.checks.end(), [&](const Check& c) { return c.status == status && !c.blocks; });
  };
  std::vector<std::string> open;
  if (const auto n = count(CheckStatus::kDeferredToHost)) open.push_back(cat(n, " deferred"));
  if (const auto n = count(CheckStatus::kNotMeasured)) open.push_back(cat(n, " not measured"));
  std::string text = p.status;
  if (!open.empty()) text += cat(" (", base::join(open, ", "), ")");
  if (!blocking.empty()) text += cat(": ", base::join(blocking, ", "));
  else if (!warning.empty()) text += cat(": ", base::join(warning, ", "));
  return text;
}

}  // namespace

const Check* Preflight::find(const std::string& name) const {
  for (const auto& check : checks)
    if (check.name == name) return &check;
  return nullptr;
}

Preflight judge_preflight(const PreflightFacts& facts, const RunOptions& options) {
  Preflight p;
  p.profile = parse_gate_profile(options.long_run_gate_profile, "--long-run-gate-profile");
  p.budget = compute_budget(options, budget_inputs(facts));
  Sheet sheet{.facts = facts, .options = options, .budget = p.budget, .profile = p.profile, .checks = {}, .notes = {}};
  check_data(sheet);
  check_tokenizer(sheet);
  check_budget(sheet);
  check_sft(sheet);
  check_eval(sheet);
  check_honesty(sheet);
  check_runtime(sheet);
  p.checks = std::move(sheet.checks);
  p.notes = std::move(sheet.notes);
  // Checks of a group stand together, in the order in which the groups first appear.
  std::vector<std::string> groups;
  for (const auto& check : p.checks)
    if (std::find(groups.begin(), groups.end(), check.group) == groups.end()) groups.push_back(check.group);
  auto rank = [&](const Check& c) { return std::find(groups.begin(), groups.end(), c.group) - groups.begin(); };
  std::stable_sort(p.checks.begin(), p.checks.end(), [&](const Check& a, const Check& b) { return rank(a) < rank(b); });

  bool blocked = false, warned = false;
  for (auto& check : p.checks) {
    check.blocks = check.status == CheckStatus::kBlock || (check.status == CheckStatus::kNotMeasured && is_release(p.profile)) ||
                   (check.status == CheckStatus::kDeferredToHost && facts.training_starts);
    blocked |= check.blocks;
    warned |= check.status == CheckStatus::kWarn;
  }
  p.status = blocked ? "blocked" : warned ? "warn" : "ready";
  p.summary = summarise(p);
  return p;
}

base::ExitCode exit_code(const Preflight& preflight) { return preflight.blocked() ? base::ExitCode::kBlocked : base::ExitCode::kDone; }

Json to_json(const Preflight& p) {
  Json checks = Json::array();
  for (const auto& c : p.checks)
    checks.push_back({{"name", c.name}, {"group", c.group}, {"status", to_text(c.status)}, {"blocks", c.blocks}, {"metric", c.metric},
                      {"threshold", c.threshold}, {"message", c.message}, {"remedy", c.remedy}});
  Json notes = Json::array();
  for (const auto& note : p.notes) notes.push_back({{"name", note.name}, {"text", note.text}});
  return {{"status", p.status},
          {"summary", p.summary},
          {"profile", to_text(p.profile)},
          {"budget", to_json(p.budget)},
          {"checks", std::move(checks)},
          {"blocking_checks", names_of(p.checks, [](const Check& c) { return c.blocks; })},
          {"warning_checks", names_of(p.checks, [](const Check& c) { return c.status == CheckStatus::kWarn; })},
          {"not_measured_checks", names_of(p.checks, [](const Check& c) { return c.status == CheckStatus::kNotMeasured; })},
          {"deferred_checks", names_of(p.checks, [](const Check& c) { return c.status == CheckStatus::kDeferredToHost; })},
          {"notes", std::move(notes)}};
}

}  // namespace picochat::gate
