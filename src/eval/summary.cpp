#include "picochat/eval/summary.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include "eval/tally.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/interval.hpp"
#include "picochat/tasks/skill_groups.hpp"

namespace picochat::eval {
namespace {

using base::Json;

struct NamedTally {
  std::string name;
  Tally tally;
};

// Weakest first; a bucket without a scored row says nothing and stands last.
bool weaker(const NamedTally& a, const NamedTally& b) {
  const Hits &x = a.tally.pass, &y = b.tally.pass;
  if ((x.n == 0) != (y.n == 0)) return y.n == 0;
  if (x.n > 0 && x.hits * y.n != y.hits * x.n) return x.hits * y.n < y.hits * x.n;
  if (x.n != y.n) return x.n > y.n;
  return a.name < b.name;
}

using KeyOf = std::function<std::string(const tasks::EvalRow&)>;

Json breakdown(std::span<const ScoredRow> rows, const KeyOf& key, double confidence) {
  std::map<std::string, Tally> tallies;
  for (const auto& row : rows)
    if (std::string name = key(row.row); !name.empty()) tallies[name].add(row);
  std::vector<NamedTally> sorted;
  for (auto& [name, tally] : tallies) sorted.push_back({name, tally});
  std::sort(sorted.begin(), sorted.end(), weaker);
  Json out = Json::object();
  for (const auto& [name, tally] : sorted) out[name] = tally.json(confidence);
  return out;
}

// The first bucket, which is the weakest; null when nothing in it was scored.
Json weakest(const Json& buckets) {
  if (buckets.empty() || buckets.begin()->at("pass_rate").is_null()) return nullptr;
  Json out = {{"name", buckets.begin().key()}};
  for (const char* key : {"pass_rate", "pass_rate_ci", "num_passed", "num_scored", "num_examples"}) out[key] = buckets.begin()->at(key);
  return out;
}

Hits passes(std::span<const ScoredRow> rows, const std::function<bool(const ScoredRow&)>& chosen) {
  Hits hits;
  for (const auto& row : rows)
    if (row.score.scored && chosen(row)) hits.add(row.score.passed);
  return hits;
}

void put(Json& out, const std::string& name, const Hits& hits, double confidence) {
  out[name] = rate_json(hits.hits, hits.n);
  out[name + "_ci"] = interval_json(hits.hits, hits.n, confidence);
}

void put_refusals(Json& out, std::span<const ScoredRow> rows, double confidence) {
  Hits declined, declined_and_passed, benign;
  for (const auto& row : rows) {
    if (row.row.is_choice()) continue;  // a label can be no refusal
    const bool refused = row.score.refusal_match;
    if (expects_refusal(row.row)) {
      declined.add(refused);
      declined_and_passed.add(refused && row.score.passed);
    } else {
      benign.add(!refused);
    }
  }
  auto count = [](const Hits& hits) { return hits.n ? Json(hits.hits) : Json(nullptr); };
  out["unsafe_refusal_examples"] = declined.n;
  out["unsafe_refusal_matches"] = count(declined);
  put(out, "unsafe_refusal_rate", declined, confidence);
  out["unsafe_refusal_passed"] = count(declined_and_passed);
  put(out, "unsafe_refusal_pass_rate", declined_and_passed, confidence);
  out["benign_non_refusal_examples"] = benign.n;
  out["benign_non_refusal"] = count(benign);
  put(out, "benign_non_refusal_rate", benign, confidence);
  out["over_refusal_rate"] = rate_json(benign.n - benign.hits, benign.n);
}

void put_choices(Json& out, const Tally& all, double confidence) {
  out["choice_passed"] = out["choice_correct"];
  out["choice_pass_rate"] = out["choice_accuracy"];
  out["choice_pass_rate_ci"] = out["choice_accuracy_ci"];
  out["choice_accuracy_adjusted"] = nullptr;
  if (all.choice.n > 0) {
    double accuracy = static_cast<double>(all.choice.hits) / static_cast<double>(all.choice.n);
    double chance = all.choice_baseline.sum / static_cast<double>(all.choice_baseline.n);
    if (chance < 1) out["choice_accuracy_adjusted"] = (accuracy - chance) / (1 - chance);
  }
  out["choice_margin_examples"] = all.choice_margin.n;
  out["choice_margin_passed"] = all.choice_margin.n ? Json(all.choice_margin.hits) : Json(nullptr);
  put(out, "choice_margin_accuracy", all.choice_margin, confidence);
  out["choice_mean_logprob_margin"] = all.choice_margin_mean.json();
  out["choice_mean_correct_logprob_margin"] = all.choice_correct_margin.json();
  out["choice_low_margin_correct"] = all.choice_low_margin.n ? Json(all.choice_low_margin.hits) : Json(nullptr);
  out["choice_low_margin_rate"] = rate_json(all.choice_low_margin.hits, all.choice_low_margin.n);
  out["choice_scoring"] = all.choice.n ? Json(kChoiceScoring) : Json(nullptr);
}

}  // namespace

Json summarize(std::span<const ScoredRow> rows, const SummaryOptions& options) {
  const double confidence = options.confidence;
  Tally all;
  int64_t answerable = 0;
  for (const auto& row : rows) {
    all.add(row);
    answerable += row.row.answerable;
  }
  Json out = all.json(confidence);
  out["num_answerable"] = answerable;
  out["num_unanswerable"] = all.examples - answerable;
  out["new_tokens"] = all.new_tokens;
  out["prompts_too_long"] = all.prompts_too_long;
  out["replies_cut_by_length"] = all.generated ? Json(all.cut_by_length) : Json(nullptr);

  Hits free = passes(rows, [](const ScoredRow& r) { return !r.row.is_choice(); });
  out["non_choice_examples"] = free.n;
  out["non_choice_passed"] = free.n ? Json(free.hits) : Json(nullptr);
  put(out, "non_choice_pass_rate", free, confidence);
  put(out, "answerable_pass_rate", passes(rows, [](const ScoredRow& r) { return r.row.answerable; }), confidence);
  put(out, "unanswerable_pass_rate", passes(rows, [](const ScoredRow& r) { return !r.row.answerable; }), confidence);
  auto group = [](const ScoredRow& r) { return tasks::skill_group(r.row.category); };
  put(out, "domain_pass_rate", passes(rows, [&](const ScoredRow& r) { return group(r) == "domain" || r.row.level == "domain"; }), confidence);
  put(out, "refusal_pass_rate", passes(rows, [&](const ScoredRow& r) { return group(r) == "refusal"; }), confidence);
  put_refusals(out, rows, confidence);
  out["answerable_support_match_rate"] = rate_json(all.answerable_support.hits, all.answerable_support.n);
  out["corpus_support"] = options.corpus_support_measured ? "measured" : "not_measured";
  put_choices(out, all, confidence);

  struct Breakdown {
    const char* name;
    KeyOf key;
  };
  const Breakdown breakdowns[] = {
      {"category_breakdown", [](const tasks::EvalRow& row) { return row.category; }},
      {"split_breakdown", [](const tasks::EvalRow& row) { return row.split; }},
      {"level_breakdown", [](const tasks::EvalRow& row) { return row.level; }},
      {"stage_breakdown", [](const tasks::EvalRow& row) { return row.curriculum_stage; }},
      {"skill_breakdown", [](const tasks::EvalRow& row) { return tasks::skill_group(row.category); }},
      {"skill_stage_breakdown", [](const tasks::EvalRow& row) { return tasks::skill_stage(row.category, row.curriculum_stage); }},
      {"robustness_breakdown", [](const tasks::EvalRow& row) { return tasks::robustness_key(row); }},
  };
  Json parts = Json::object();
  for (const auto& [name, key] : breakdowns) parts[name] = breakdown(rows, key, confidence);
  out["weakest_category"] = weakest(parts["category_breakdown"]);
  out["weakest_skill"] = weakest(parts["skill_breakdown"]);
  out.update(parts);
  return out;
}

Json sample_generations(std::span<const ScoredRow> rows, const SummaryOptions& options) {
  struct Candidate {
    uint64_t key;
    size_t index;
  };
  // Per verdict and category, rows in the order of their hash.
  auto sampled = [&](bool passed) {
    std::map<std::string, std::vector<Candidate>> categories;
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto& row = rows[i];
      if (!row.score.scored || row.score.passed != passed || row.row.is_choice()) continue;
      categories[row.row.category].push_back({base::hash64(row.row.user, options.sample_seed), i});
    }
    for (auto& [name, list] : categories)
      std::sort(list.begin(), list.end(), [](auto a, auto b) { return std::pair(a.key, a.index) < std::pair(b.key, b.index); });
    Json out = Json::array();
    for (size_t round = 0; static_cast<int64_t>(out.size()) < options.samples; ++round) {
      bool any = false;
      for (const auto& [name, list] : categories) {
        if (round >= list.size() || static_cast<int64_t>(out.size()) >= options.samples) continue;
        any = true;
        const auto& row = rows[list[round].index];
        out.push_back({{"index", list[round].index + 1},
                       {"category", name},
                       {"user", row.row.user},
                       {"reply", row.reply},
                       {"reference_answer", row.row.reference_answer},
                       {"failure_reasons", row.score.failure_reasons()},
                       {"stop_reason", row.stop_reason}});
      }
      if (!any) break;
    }
    return out;
  };
  return {{"rule", "generated rows of each verdict, categories in turn by name, within a category by smallest keyed hash of the prompt"},
          {"seed", options.sample_seed},
          {"good", sampled(true)},
          {"bad", sampled(false)}};
}

}  // namespace picochat::eval
