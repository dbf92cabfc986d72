// What failed and what to do about it: the "analysis" of a report.
#include <algorithm>
#include <map>

#include "eval/tally.hpp"
#include "picochat/base/text.hpp"
#include "picochat/eval/summary.hpp"

namespace picochat::eval {
namespace {

using base::Json;

std::string cluster_of(const ScoredRow& row, const std::string& reason) {
  static const std::map<std::string, std::string> clusters = {
      {"missing_required", "content_mismatch"},       {"missing_any_group", "content_mismatch"},
      {"missing_entity", "content_mismatch"},         {"low_reference_overlap", "content_mismatch"},
      {"normalized_answer_mismatch", "content_mismatch"}, {"wrong_choice", "choice_mismatch"},
      {"forbidden_phrase", "unsupported_or_forbidden"},   {"weak_corpus_support", "unsupported_or_forbidden"},
      {"prompt_echo", "prompt_format_failure"},       {"length_violation", "length_control"},
      {"empty_reply", "degenerate_generation"},       {"repetitive_reply", "degenerate_generation"},
      {"not_refused", "refusal_failure"}};
  const bool wrong_side = !row.row.is_choice() && !row.score.empty_reply && expects_refusal(row.row) != row.score.refusal_match;
  if (wrong_side && reason != "repetitive_reply") return "refusal_failure";
  auto found = clusters.find(reason);
  return found == clusters.end() ? "unknown" : found->second;
}

// Most frequent first, then by name.
Json sorted_counts(const std::map<std::string, int64_t>& counts) {
  std::vector<std::pair<std::string, int64_t>> list(counts.begin(), counts.end());
  std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  Json out = Json::object();
  for (const auto& [name, count] : list) out[name] = count;
  return out;
}

double number(const Json& value, double absent) { return value.is_null() ? absent : value.get<double>(); }

Json weak_buckets(const Json& breakdown) {
  constexpr double kPass = 0.80, kSupport = 0.90;
  Json out = Json::array();
  for (const auto& [name, bucket] : breakdown.items()) {
    if (number(bucket.at("num_failed"), 0) == 0) continue;
    const bool weak = number(bucket.at("pass_rate"), 1) < kPass || number(bucket.at("support_match_rate"), 1) < kSupport ||
                      number(bucket.at("unsupported_claims"), 0) > 0 || number(bucket.at("prompt_echoes"), 0) > 0 ||
                      number(bucket.at("corpus_support_failures"), 0) > 0;
    if (!weak) continue;
    Json entry = {{"name", name}};
    for (const char* key : {"num_examples", "num_passed", "num_failed", "pass_rate", "pass_rate_ci", "support_match_rate"})
      entry[key] = bucket.at(key);
    out.push_back(entry);
  }
  return out;
}

struct Advice {
  const char *cluster, *priority, *area, *message, *action;
};
constexpr Advice kAdvice[] = {
    {"unsupported_or_forbidden", "high", "grounding", "replies contain phrases that their rows forbid",
     "add SFT rows that decline or name the source, and check the corpus for the forbidden claims"},
    {"refusal_failure", "high", "refusal", "the model answers what it should decline, or declines what it should answer",
     "balance refusal rows with benign rows of the same wording in the SFT data"},
    {"prompt_format_failure", "high", "prompt format", "replies repeat the prompt or role labels",
     "check that SFT rows contain no role labels and train SFT longer"},
    {"degenerate_generation", "high", "generation", "replies are empty or repeat themselves",
     "train the base model longer; look at the base sample before tuning the SFT data"},
    {"content_mismatch", "medium", "content", "replies lack what their rows require",
     "add SFT rows for the weakest categories, or more base training where even trained rows fail"},
    {"choice_mismatch", "medium", "choice", "the likeliest label is not the right one",
     "compare with the random baseline before drawing conclusions; add choice rows with shuffled labels"},
    {"length_control", "low", "length", "replies are longer or shorter than their rows allow",
     "add SFT rows whose answers have the wanted length"},
};

}  // namespace

Json analyze(std::span<const ScoredRow> rows, const Json& summary) {
  std::map<std::string, int64_t> reasons, clusters;
  Json failed = Json::array();
  for (size_t i = 0; i < rows.size(); ++i) {
    auto why = rows[i].score.failure_reasons();
    if (why.empty()) continue;
    for (const auto& reason : why) ++reasons[reason];
    std::string cluster = cluster_of(rows[i], why.front());
    ++clusters[cluster];
    failed.push_back({{"index", i + 1}, {"category", rows[i].row.category}, {"cluster", cluster}, {"reasons", why}});
  }
  Json recommendations = Json::array();
  for (const auto& advice : kAdvice) {
    auto found = clusters.find(advice.cluster);
    if (found == clusters.end()) continue;
    recommendations.push_back({{"priority", advice.priority},
                               {"area", advice.area},
                               {"message", base::cat(found->second, " of ", failed.size(), " failed rows: ", advice.message)},
                               {"action", advice.action}});
  }
  return {{"failure_counts", sorted_counts(reasons)},
          {"cluster_counts", sorted_counts(clusters)},
          {"failed_examples", failed},
          {"weak_categories", weak_buckets(summary.at("category_breakdown"))},
          {"weak_splits", weak_buckets(summary.at("split_breakdown"))},
          {"weak_levels", weak_buckets(summary.at("level_breakdown"))},
          {"recommendations", recommendations}};
}

}  // namespace picochat::eval
