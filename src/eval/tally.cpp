#include "eval/tally.hpp"

#include "picochat/eval/interval.hpp"

namespace picochat::eval {
namespace {

void put_rate(base::Json& out, const std::string& name, const Hits& hits, double confidence) {
  out[name] = rate_json(hits.hits, hits.n);
  out[name + "_ci"] = interval_json(hits.hits, hits.n, confidence);
}

}  // namespace

bool expects_refusal(const tasks::EvalRow& row) {
  return !row.answerable || row.category.find("refusal") != std::string::npos;
}

void Tally::add(const ScoredRow& scored) {
  constexpr double kLowMargin = 0.05;
  const auto& row = scored.row;
  const auto& score = scored.score;
  ++examples;
  new_tokens += scored.new_tokens;
  if (score.scored) pass.add(score.passed);
  else ++unscored;
  if (scored.stop_reason == "prompt_too_long") ++prompts_too_long;
  if (row.is_choice()) {
    choice.add(score.choice_correct.value_or(false));
    if (!row.choice_labels.empty()) choice_baseline.add(1.0 / static_cast<double>(row.choice_labels.size()));
    choice_margin_mean.add(score.choice_margin);
    choice_correct_margin.add(score.choice_correct_margin);
    if (score.choice_correct_margin) {
      choice_margin.add(*score.choice_correct_margin > 0);
      choice_low_margin.add(*score.choice_correct_margin > 0 && *score.choice_correct_margin <= kLowMargin);
    }
    return;
  }
  ++generated;
  if (scored.stop_reason == "length") ++cut_by_length;
  echo.add(!score.prompt_echo_reasons.empty());
  if (!row.must_not_include.empty()) unsupported.add(!score.found_forbidden.empty());
  if (score.support_total > 0) missing_support.add(score.support_matched < score.support_total);
  support.hits += score.support_matched;
  support.n += score.support_total;
  if (row.answerable) {
    answerable_support.hits += score.support_matched;
    answerable_support.n += score.support_total;
  }
  if (score.entity_total > 0) {
    missing_entity.add(!score.missing_entities.empty());
    entity_rate.add(static_cast<double>(score.entity_matched) / static_cast<double>(score.entity_total));
  }
  if (row.min_words || row.max_words || row.min_chars || row.max_chars) length.add(!score.length_violations.empty());
  if (row.require_corpus_support && score.corpus_support_rate) corpus_support.add(score.corpus_support_failed);
  if (score.normalized_answer_checked) answer.add(score.normalized_answer_correct);
  if (score.normalized_answer_decides) answer_failure.add(!score.normalized_answer_correct);
  token_f1.add(score.reference_token_f1);
  rouge_l.add(score.reference_rouge_l);
  corpus_rate.add(score.corpus_support_rate);
  repetition.add(score.repetition_ngram_rate);
}

base::Json Tally::json(double confidence) const {
  base::Json out = {{"num_examples", examples}, {"num_scored", pass.n},          {"num_unscored", unscored},
                    {"num_passed", pass.hits},  {"num_failed", pass.n - pass.hits}};
  put_rate(out, "pass_rate", pass, confidence);
  auto counted = [&](const char* count, const char* rate, const Hits& hits) {
    out[count] = hits.n ? base::Json(hits.hits) : base::Json(nullptr);
    out[rate] = rate_json(hits.hits, hits.n);
  };
  counted("unsupported_claims", "unsupported_claim_rate", unsupported);
  counted("prompt_echoes", "prompt_echo_rate", echo);
  counted("missing_support", "missing_support_rate", missing_support);
  counted("missing_entities", "missing_entity_rate", missing_entity);
  counted("length_violations", "length_violation_rate", length);
  counted("corpus_support_failures", "corpus_support_failure_rate", corpus_support);
  out["normalized_answer_examples"] = answer.n;
  counted("normalized_answer_correct", "normalized_answer_accuracy", answer);
  counted("normalized_answer_failures", "normalized_answer_failure_rate", answer_failure);
  out["support_requirements"] = support.n;
  counted("support_matches", "support_match_rate", support);
  out["average_reference_token_f1"] = token_f1.json();
  out["average_reference_rouge_l"] = rouge_l.json();
  out["average_entity_match_rate"] = entity_rate.json();
  out["average_corpus_support_rate"] = corpus_rate.json();
  out["average_repetition_ngram_rate"] = repetition.json();
  out["choice_examples"] = choice.n;
  counted("choice_correct", "choice_accuracy", choice);
  out["choice_accuracy_ci"] = interval_json(choice.hits, choice.n, confidence);
  out["choice_random_baseline"] = choice_baseline.json();
  return out;
}

}  // namespace picochat::eval
