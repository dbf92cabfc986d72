// Scored rows -> the figures of eval_report.json. Pure. A rate over no rows is null, never 0.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/eval/scoring.hpp"

namespace picochat::eval {

struct SummaryOptions {
  double confidence = 0.95;
  bool corpus_support_measured = false;
  uint64_t sample_seed = 42;
  int64_t samples = 8;  // generations shown of each verdict
};

// The keys of docs/formats/reports.md, breakdowns included. Buckets of a breakdown stand weakest
// first: lowest pass rate, then more rows, then name.
base::Json summarize(std::span<const ScoredRow> rows, const SummaryOptions& options);

// failure_counts, cluster_counts, failed_examples, weak_categories, weak_splits, weak_levels, recommendations.
base::Json analyze(std::span<const ScoredRow> rows, const base::Json& summary);

// {"rule","seed","good":[...],"bad":[...]}: of each verdict the rows with the smallest keyed hash of
// their prompt, one category after another, so nobody picks them.
base::Json sample_generations(std::span<const ScoredRow> rows, const SummaryOptions& options);

// "evals" in words: the table that ends a run on the console. One line per category, weakest first.
std::string category_table(const base::Json& summary);
// A few good and bad generations for the console.
std::string generations_text(const base::Json& generations, int64_t per_verdict = 3);

}  // namespace picochat::eval
