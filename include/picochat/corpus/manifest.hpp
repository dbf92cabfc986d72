// What is in a corpus, measured: the record that later stages and reports quote. The digest names the
// corpus by content and order; it does not depend on where the files lie or on their names.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "picochat/base/digest.hpp"
#include "picochat/base/json.hpp"

namespace picochat::corpus {

// Sums and rates over the included documents, each counted once whatever its source's weight.
// Characters are code points. An empty optional means "not measured", which is never 0.
struct Statistics {
  int64_t num_files = 0;       // candidate files
  int64_t num_documents = 0;
  int64_t num_characters = 0;
  uint64_t num_bytes = 0;
  int64_t num_lines = 0;
  int64_t repeated_documents = 0;  // further copies that source weights add
  uint64_t repeated_bytes = 0;
  std::optional<int64_t> duplicate_documents;  // documents less distinct normalised texts
  int64_t nonempty_lines = 0, empty_lines = 0;
  std::optional<int64_t> duplicate_lines;      // non-empty trimmed lines less distinct ones
  int64_t non_ascii_characters = 0;
  int64_t invalid_utf8_documents = 0;  // text files: bytes kept; JSON rows: replaced by U+FFFD
  int64_t noisy_documents = 0;         // with control characters or U+FFFD
  int64_t low_quality_documents = 0;   // quality score below 70
  double quality_sum = 0;
  std::optional<int64_t> near_duplicate_documents;
  std::optional<int64_t> near_duplicate_pairs;
  int64_t near_duplicate_documents_checked = 0;
  std::array<int64_t, 33> length_histogram{};  // [i]: documents of [2^(i-1), 2^i) characters; [0]: empty

  double average_document_chars() const;
  std::optional<double> duplicate_document_rate() const;
  std::optional<double> duplicate_line_rate() const;
  std::optional<double> near_duplicate_document_rate() const;
  double non_ascii_rate() const;
  double empty_line_rate() const;
  double average_quality_score() const;
};

struct ManifestFile {
  std::string path;   // relative to the recipe's folder or the input
  std::string label, format;
  uint64_t bytes = 0;
  base::Digest sha256;    // empty for files that were not read
  bool included = false;  // gave at least one document
  std::string reason;     // "included" or why not
  int64_t documents = 0, characters = 0, lines = 0;
  uint64_t text_start = 0, text_end = 0;  // its span in the stream of document bytes
  double quality_score = 0;               // mean over its documents
  std::vector<std::string> quality_flags;  // union over its documents, sorted
  std::map<std::string, int64_t> skipped_rows;
  std::map<std::string, int64_t> first_skipped_line;  // same keys
  std::string columns_found;              // the keys of the first row without "text"
};

struct ManifestSource {
  std::string path, label;
  double weight = 1;
  std::optional<int64_t> max_documents, max_bytes;
  int64_t files = 0, documents = 0, characters = 0, repeated_documents = 0;
  uint64_t bytes = 0;
};

struct ReadinessCheck {
  std::string name, status;  // pass | warn | fail | not_measured
  base::Json metric, threshold;
  std::string message;
};

struct Readiness {
  std::string status;  // ready | caution | blocked
  std::string summary;
  std::vector<ReadinessCheck> checks;
};

struct Manifest {
  base::Digest digest;
  int64_t min_quality_score = 0;
  Statistics stats;
  std::vector<ManifestSource> sources;
  std::vector<ManifestFile> files;
  Readiness readiness;
  std::vector<std::string> warnings;
};

Readiness assess_readiness(const Statistics& stats, int64_t skipped_files);

// BadInput with one clear message when the corpus has no usable document.
void require_documents(const Manifest& manifest);

base::Json statistics_json(const Statistics& stats);
base::Json readiness_json(const Readiness& readiness);
base::Json manifest_json(const Manifest& manifest);           // corpus_manifest.json
std::string corpus_report_markdown(const Manifest& manifest);  // corpus_report.md

// How long a first run on this corpus should be. `bytes_per_token` is measured by a trained tokenizer
// when the caller has one; without it a stated rule of thumb is used and `basis` says so.
struct BudgetSuggestion {
  std::string preset;  // blocked | smoke | overfit-check | tiny | small-preview
  int64_t estimated_tokens = 0, suggested_context_size = 0, estimated_windows = 0;
  int64_t suggested_batch_size = 0, suggested_base_steps = 0, estimated_tokens_per_step = 0;
  double estimated_passes = 0;
  std::string basis, note;
};
BudgetSuggestion suggest_budget(const Statistics& stats, std::optional<double> bytes_per_token = {});
base::Json budget_json(const BudgetSuggestion& budget);

}  // namespace picochat::corpus
