#include "picochat/eval/scoring.hpp"

#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/eval/interval.hpp"
#include "picochat/eval/text_match.hpp"
#include "picochat/tasks/skill_groups.hpp"

namespace picochat::eval {
namespace {

bool any_phrase(std::string_view reply, const std::vector<std::string>& phrases, bool case_sensitive) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](const std::string& phrase) { return contains_phrase(reply, phrase, case_sensitive); });
}

void check_phrases(const tasks::EvalRow& row, std::string_view reply, bool case_sensitive, RowScore& score) {
  for (const auto& phrase : row.must_include) {
    ++score.support_total;
    if (contains_phrase(reply, phrase, case_sensitive)) ++score.support_matched;
    else score.missing.push_back(phrase);
  }
  for (const auto& group : row.must_include_any) {
    ++score.support_total;
    if (any_phrase(reply, group, case_sensitive)) ++score.support_matched;
    else score.missing_any.push_back(group);
  }
  for (const auto& phrase : row.must_not_include)
    if (contains_phrase(reply, phrase, case_sensitive)) score.found_forbidden.push_back(phrase);
  for (const auto& entity : row.required_entities) {
    ++score.entity_total;
    if (contains_phrase(reply, entity, case_sensitive)) ++score.entity_matched;
    else score.missing_entities.push_back(entity);
  }
}

void check_lengths(const tasks::EvalRow& row, RowScore& score) {
  if (row.min_words && score.word_count < *row.min_words) score.length_violations.push_back("min_words");
  if (row.max_words && score.word_count > *row.max_words) score.length_violations.push_back("max_words");
  if (row.min_chars && score.char_count < *row.min_chars) score.length_violations.push_back("min_chars");
  if (row.max_chars && score.char_count > *row.max_chars) score.length_violations.push_back("max_chars");
}

void check_answer(const tasks::EvalRow& row, std::string_view reply, RowScore& score) {
  if (row.normalized_answers.empty()) return;
  score.normalized_answer_checked = true;
  for (const auto& candidate : answer_candidates(reply)) {
    for (const auto& expected : row.normalized_answers) {
      if (candidate != tasks::normalize_answer(expected)) continue;
      score.normalized_answer_correct = true;
      score.normalized_answer_match = candidate;
      return;
    }
  }
}

void check_corpus_support(const tasks::EvalRow& row, std::string_view reply, double threshold, const WordSet& corpus,
                          RowScore& score) {
  constexpr size_t kShown = 12;
  auto words = content_words(reply);
  if (words.empty()) return;
  size_t found = 0;
  for (const auto& word : words) {
    if (corpus.contains(word)) ++found;
    else if (score.unsupported_words.size() < kShown) score.unsupported_words.push_back(word);
  }
  score.corpus_support_rate = static_cast<double>(found) / static_cast<double>(words.size());
  score.corpus_support_failed = row.require_corpus_support && *score.corpus_support_rate < threshold;
}

bool has_phrase_or_bound(const tasks::EvalRow& row) {
  return !row.must_include.empty() || !row.must_include_any.empty() || !row.must_not_include.empty() ||
         !row.required_entities.empty() || row.min_words || row.max_words || row.min_chars || row.max_chars ||
         row.require_corpus_support;
}

base::Json optional_json(const std::optional<double>& value) { return value ? base::Json(*value) : base::Json(nullptr); }

base::Json choice_json(const tasks::EvalRow& row, const ChoiceResult& choice, const RowScore& score) {
  base::Json logprobs = base::Json::object();
  for (size_t i = 0; i < choice.logprobs.size(); ++i) logprobs[row.choice_labels[i]] = choice.logprobs[i];
  return {{"choice_logprobs", logprobs},
          {"choice_token_counts", choice.token_counts},
          {"choice_tie", choice.tie},
          {"choice_predicted", choice.predicted < 0 ? base::Json(nullptr) : base::Json(row.choice_labels[static_cast<size_t>(choice.predicted)])},
          {"choice_correct", *score.choice_correct},
          {"choice_logprob_margin", optional_json(score.choice_margin)},
          {"choice_correct_logprob_margin", optional_json(score.choice_correct_margin)},
          {"choice_margin_pass", score.choice_correct_margin ? base::Json(*score.choice_correct_margin > 0) : base::Json(nullptr)}};
}

}  // namespace

RowScore score_reply(const tasks::EvalRow& row, std::string_view reply, const ScoringOptions& options, const WordSet* support) {
  RowScore score;
  score.empty_reply = base::trim(reply).empty();
  score.word_count = count_words(reply);
  score.char_count = static_cast<int64_t>(base::count_code_points(reply));
  score.refusal_match = is_refusal(reply);
  score.prompt_echo_reasons = prompt_echo_reasons(row.user, reply);
  score.repetition_ngram_rate = repetition_ngram_rate(reply);
  score.unique_word_rate = unique_word_rate(reply);
  if (!row.reference_answer.empty()) {
    score.reference_token_f1 = token_f1(reply, row.reference_answer);
    score.reference_rouge_l = rouge_l_f1(reply, row.reference_answer);
  }
  check_phrases(row, reply, options.case_sensitive, score);
  check_lengths(row, score);
  check_answer(row, reply, score);
  if (support) check_corpus_support(row, reply, options.corpus_support_threshold, *support, score);

  const bool other_rules = has_phrase_or_bound(row);
  score.normalized_answer_decides = score.normalized_answer_checked && (row.normalized_answer_required || !other_rules);
  const bool refusal_decides = !row.answerable && !other_rules && !score.normalized_answer_decides;
  score.scored = other_rules || score.normalized_answer_decides || refusal_decides;
  score.passed = score.scored && !score.empty_reply && score.missing.empty() && score.missing_any.empty() &&
                 score.found_forbidden.empty() && score.missing_entities.empty() && score.length_violations.empty() &&
                 score.prompt_echo_reasons.empty() && !score.corpus_support_failed &&
                 (!score.normalized_answer_decides || score.normalized_answer_correct) &&
                 (!refusal_decides || score.refusal_match);
  return score;
}

RowScore score_choice(const tasks::EvalRow& row, const ChoiceResult& result) {
  RowScore score;
  score.choice_correct = false;
  if (result.predicted < 0) return score;  // the prompt did not fit: asked, not answered
  const auto& labels = row.choice_labels;
  const std::string& reply = labels[static_cast<size_t>(result.predicted)];
  score.word_count = count_words(reply);
  score.char_count = static_cast<int64_t>(base::count_code_points(reply));
  const auto correct = static_cast<size_t>(std::find(labels.begin(), labels.end(), row.correct_choice) - labels.begin());
  score.choice_correct = !result.tie && static_cast<size_t>(result.predicted) == correct;
  score.passed = *score.choice_correct;
  if (labels.size() < 2) return score;
  auto best_except = [&](size_t skip) {
    double best = -1e300;
    for (size_t i = 0; i < labels.size(); ++i)
      if (i != skip) best = std::max(best, result.logprobs[i]);
    return best;
  };
  const auto predicted = static_cast<size_t>(result.predicted);
  score.choice_margin = result.logprobs[predicted] - best_except(predicted);
  if (correct < labels.size()) score.choice_correct_margin = result.logprobs[correct] - best_except(correct);
  return score;
}

std::vector<std::string> RowScore::failure_reasons() const {
  constexpr double kLowOverlap = 0.25, kRepetitive = 0.25;
  std::vector<std::string> reasons;
  if (!scored || passed) return reasons;
  auto add = [&](bool condition, const char* name) {
    if (condition) reasons.push_back(name);
  };
  add(choice_correct.has_value(), "wrong_choice");
  if (choice_correct) return reasons;
  add(empty_reply, "empty_reply");
  add(!missing.empty(), "missing_required");
  add(!missing_any.empty(), "missing_any_group");
  add(!missing_entities.empty(), "missing_entity");
  add(!length_violations.empty(), "length_violation");
  add(!found_forbidden.empty(), "forbidden_phrase");
  add(!prompt_echo_reasons.empty(), "prompt_echo");
  add(corpus_support_failed, "weak_corpus_support");
  add(normalized_answer_decides && !normalized_answer_correct, "normalized_answer_mismatch");
  if (reasons.empty()) reasons.push_back("not_refused");
  add(!empty_reply && reference_token_f1 && *reference_token_f1 < kLowOverlap, "low_reference_overlap");
  add(repetition_ngram_rate > kRepetitive, "repetitive_reply");
  return reasons;
}

base::Json example_json(const ScoredRow& scored, int64_t index) {
  const auto& row = scored.row;
  const auto& score = scored.score;
  base::Json out = {{"index", index}};
  out.update(tasks::to_json(row));
  out.update({{"category", row.category},
              {"split", row.split},
              {"level", row.level},
              {"answerable", row.answerable},
              {"skill_group", tasks::skill_group(row.category)},
              {"skill_stage", tasks::skill_stage(row.category, row.curriculum_stage)},
              {"robustness_key", tasks::robustness_key(row)},
              {"reply", scored.reply},
              {"passed", score.scored ? base::Json(score.passed) : base::Json(nullptr)},
              {"failure_reasons", score.failure_reasons()},
              {"stop_reason", scored.stop_reason},
              {"prompt_tokens", scored.prompt_tokens},
              {"new_tokens", scored.new_tokens},
              {"generation_max_new_tokens", scored.max_new_tokens}});
  if (scored.choice) {
    out.update(choice_json(row, *scored.choice, score));
    return out;
  }
  out.update({{"missing", score.missing},
              {"missing_any", score.missing_any},
              {"found_forbidden", score.found_forbidden},
              {"missing_entities", score.missing_entities},
              {"length_violations", score.length_violations},
              {"prompt_echo", !score.prompt_echo_reasons.empty()},
              {"prompt_echo_reasons", score.prompt_echo_reasons},
              {"refusal_match", score.refusal_match},
              {"support_total", score.support_total},
              {"support_matched", score.support_matched},
              {"support_match_rate", rate_json(score.support_matched, score.support_total)},
              {"entity_total", score.entity_total},
              {"entity_matched", score.entity_matched},
              {"word_count", score.word_count},
              {"char_count", score.char_count},
              {"reference_token_f1", optional_json(score.reference_token_f1)},
              {"reference_rouge_l", optional_json(score.reference_rouge_l)},
              {"repetition_ngram_rate", score.repetition_ngram_rate},
              {"unique_word_rate", score.unique_word_rate},
              {"corpus_support_rate", optional_json(score.corpus_support_rate)},
              {"unsupported_words", score.unsupported_words}});
  if (score.normalized_answer_checked) {
    out["normalized_answer_correct"] = score.normalized_answer_correct;
    out["normalized_answer_match"] = score.normalized_answer_match;
    out["normalized_answer_decides"] = score.normalized_answer_decides;
  }
  return out;
}

}  // namespace picochat::eval
