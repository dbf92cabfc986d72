// Rates, readiness and the training suggestion: pure functions of the counted sums.
#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/corpus/manifest.hpp"

namespace picochat::corpus {
namespace {

using base::cat;
using base::Json;

double ratio(double part, double whole) { return whole == 0 ? 0 : part / whole; }

std::optional<double> ratio(const std::optional<int64_t>& part, int64_t whole) {
  if (!part || whole == 0) return {};  // a rate of nothing was not measured
  return ratio(static_cast<double>(*part), static_cast<double>(whole));
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }
Json or_null(const std::optional<int64_t>& value) { return value ? Json(*value) : Json(nullptr); }

std::string percent(double rate) { return base::fixed(100 * rate, 1) + "%"; }

}  // namespace

double Statistics::average_document_chars() const { return ratio(static_cast<double>(num_characters), static_cast<double>(num_documents)); }
std::optional<double> Statistics::duplicate_document_rate() const { return ratio(duplicate_documents, num_documents); }
std::optional<double> Statistics::duplicate_line_rate() const { return ratio(duplicate_lines, nonempty_lines); }
std::optional<double> Statistics::near_duplicate_document_rate() const { return ratio(near_duplicate_documents, near_duplicate_documents_checked); }
double Statistics::non_ascii_rate() const { return ratio(static_cast<double>(non_ascii_characters), static_cast<double>(num_characters)); }
double Statistics::empty_line_rate() const { return ratio(static_cast<double>(empty_lines), static_cast<double>(num_lines)); }
double Statistics::average_quality_score() const { return ratio(quality_sum, static_cast<double>(num_documents)); }

Readiness assess_readiness(const Statistics& stats, int64_t skipped_files) {
  Readiness readiness;
  auto add = [&](std::string name, std::string status, Json metric, Json threshold, std::string message) {
    readiness.checks.push_back({std::move(name), std::move(status), std::move(metric), std::move(threshold), std::move(message)});
  };
  auto limit = [&](const char* name, const std::optional<double>& rate, double threshold, const char* what, const char* advice) {
    if (!rate) return add(name, "not_measured", nullptr, threshold, cat(what, " were not measured"));
    const bool warn = *rate > threshold;
    add(name, warn ? "warn" : "pass", *rate, threshold, cat(percent(*rate), " ", what, warn ? cat(", above ", percent(threshold), ": ", advice) : ""));
  };
  const int64_t documents = stats.num_documents, characters = stats.num_characters;
  add("usable_documents", documents == 0 ? "fail" : "pass", documents, 1, documents == 0 ? "no usable document" : cat(base::grouped(documents), documents == 1 ? " usable document" : " usable documents"));
  add("corpus_size", characters == 0 ? "fail" : characters < 1000 ? "warn" : "pass", characters, 1000,
      cat(base::grouped(characters), " characters", characters < 1000 ? ": too few to learn from" : ""));
  add("document_mix", documents == 0 ? "fail" : documents == 1 ? "warn" : "pass", documents, 2,
      documents == 1 ? "one document: validation text comes from the same document" : cat(base::grouped(documents), " documents"));
  limit("duplicate_documents", stats.duplicate_document_rate(), 0.05, "duplicate documents", "remove repeated documents");
  limit("duplicate_lines", stats.duplicate_line_rate(), 0.15, "duplicate lines", "look for boilerplate");
  limit("near_duplicate_documents", stats.near_duplicate_document_rate(), 0.05, "near-duplicate documents", "remove near copies");
  limit("empty_lines", stats.empty_line_rate(), 0.35, "empty lines", "look at how the text was extracted");
  limit("non_ascii", stats.non_ascii_rate(), 0.05, "non-ASCII characters", "expected for languages other than English; plan the vocabulary for it");
  add("skipped_sources", skipped_files > 0 ? "warn" : "pass", skipped_files, 0,
      skipped_files > 0 ? cat(base::grouped(skipped_files), skipped_files == 1 ? " file" : " files", " could not be used") : "every file was used or left out on purpose");

  auto count = [&](const char* status) {
    return std::count_if(readiness.checks.begin(), readiness.checks.end(), [&](const ReadinessCheck& check) { return check.status == status; });
  };
  const auto fails = count("fail"), warns = count("warn"), unmeasured = count("not_measured");
  readiness.status = fails > 0 ? "blocked" : warns > 0 ? "caution" : "ready";
  readiness.summary = cat(count("pass"), " checks passed, ", warns, " warned, ", fails, " failed", unmeasured > 0 ? cat(", ", unmeasured, " not measured") : "");
  return readiness;
}

BudgetSuggestion suggest_budget(const Statistics& stats, std::optional<double> bytes_per_token) {
  // English text under a byte-pair vocabulary of a few thousand entries.
  constexpr double kTypicalBytesPerToken = 3.5;
  BudgetSuggestion budget;
  const double bytes = static_cast<double>(stats.num_bytes + stats.repeated_bytes);
  budget.estimated_tokens = static_cast<int64_t>(bytes / bytes_per_token.value_or(kTypicalBytesPerToken));
  budget.basis = bytes_per_token ? cat("measured: ", base::fixed(*bytes_per_token, 2), " bytes per token")
                                 : cat("rule of thumb: ", base::fixed(kTypicalBytesPerToken, 1), " bytes per token; a trained tokenizer measures it");
  struct Rung {
    const char* preset;
    int64_t context, batch, steps;
    const char* note;
  };
  Rung rung{"small-preview", 256, 4, 1000, "enough text for a small first model; scale up when its validation loss still falls"};
  if (stats.num_characters == 0) rung = {"blocked", 32, 1, 0, "there is nothing to train on"};
  else if (stats.num_characters < 1000) rung = {"smoke", 32, 4, 100, "only shows that the pipeline works"};
  else if (stats.num_documents == 1) rung = {"overfit-check", 128, 8, 300, "one document: expect memorization, not generalization"};
  else if (stats.num_characters < 50000) rung = {"tiny", 128, 8, 500, "a small corpus: stop early"};
  budget.preset = rung.preset;
  budget.suggested_context_size = rung.context;
  budget.suggested_batch_size = rung.batch;
  budget.suggested_base_steps = rung.steps;
  budget.note = rung.note;
  budget.estimated_windows = std::max<int64_t>(0, budget.estimated_tokens / rung.context);
  budget.estimated_tokens_per_step = rung.context * rung.batch;
  budget.estimated_passes = ratio(static_cast<double>(budget.estimated_tokens_per_step * rung.steps), static_cast<double>(budget.estimated_tokens));
  return budget;
}

Json statistics_json(const Statistics& stats) {
  Json histogram = Json::array();
  for (size_t i = 0; i < stats.length_histogram.size(); ++i)
    if (stats.length_histogram[i] > 0)
      histogram.push_back({{"min_chars", i == 0 ? 0 : int64_t{1} << (i - 1)}, {"documents", stats.length_histogram[i]}});
  return {{"num_files", stats.num_files},
          {"num_documents", stats.num_documents},
          {"num_characters", stats.num_characters},
          {"num_bytes", stats.num_bytes},
          {"num_lines", stats.num_lines},
          {"average_document_chars", stats.average_document_chars()},
          {"duplicate_documents", or_null(stats.duplicate_documents)},
          {"duplicate_document_rate", or_null(stats.duplicate_document_rate())},
          {"duplicate_lines", or_null(stats.duplicate_lines)},
          {"duplicate_line_rate", or_null(stats.duplicate_line_rate())},
          {"near_duplicate_document_pairs", or_null(stats.near_duplicate_pairs)},
          {"near_duplicate_document_rate", or_null(stats.near_duplicate_document_rate())},
          {"near_duplicate_documents_checked", stats.near_duplicate_documents_checked},
          {"non_ascii_rate", stats.non_ascii_rate()},
          {"empty_line_rate", stats.empty_line_rate()},
          {"invalid_utf8_documents", stats.invalid_utf8_documents},
          {"noisy_documents", stats.noisy_documents},
          {"average_quality_score", stats.average_quality_score()},
          {"low_quality_documents", stats.low_quality_documents},
          {"repeated_documents", stats.repeated_documents},
          {"repeated_bytes", stats.repeated_bytes},
          {"length_histogram", histogram}};
}

Json readiness_json(const Readiness& readiness) {
  Json checks = Json::array();
  for (const auto& check : readiness.checks)
    checks.push_back({{"name", check.name}, {"status", check.status}, {"metric", check.metric}, {"threshold", check.threshold}, {"message", check.message}});
  return {{"status", readiness.status}, {"summary", readiness.summary}, {"checks", checks}};
}

Json budget_json(const BudgetSuggestion& budget) {
  return {{"preset", budget.preset},
          {"estimated_tokens", budget.estimated_tokens},
          {"suggested_context_size", budget.suggested_context_size},
          {"estimated_windows", budget.estimated_windows},
          {"suggested_batch_size", budget.suggested_batch_size},
          {"suggested_base_steps", budget.suggested_base_steps},
          {"estimated_tokens_per_step", budget.estimated_tokens_per_step},
          {"estimated_passes", budget.estimated_passes},
          {"basis", budget.basis},
          {"note", budget.note}};
}

}  // namespace picochat::corpus
