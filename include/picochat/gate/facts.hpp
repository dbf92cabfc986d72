// What was measured about a run before its training, as plain records. An empty optional means "not
// measured", which is never 0 and never a pass. JSON keys are the members' names.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "picochat/base/json.hpp"

namespace picochat::gate {

// From corpus_manifest.json.
struct CorpusFacts {
  std::string readiness;  // ready | caution | blocked
  std::string readiness_summary;
  std::string digest;
  int64_t documents = 0, characters = 0, bytes = 0;
  std::optional<double> duplicate_document_rate, near_duplicate_document_rate, duplicate_line_rate;
  std::optional<int64_t> near_duplicate_documents_checked;
  std::optional<int64_t> tokens;                 // counted by the run's tokenizer
  std::optional<double> tokens_per_character;    // the run's tokenizer, or one trained on a sample
  std::optional<double> tokens_per_character_stderr;  // of a sample; absent when all text was counted
  std::optional<int64_t> sample_bytes;
  bool documents_are_rows = true;                // boundaries of real documents survive into training
  int64_t sources = 0;
  std::optional<int64_t> sources_with_license, sources_with_provenance;  // named by their import reports or recipe
  std::vector<std::string> sources_without_license, sources_without_provenance;
};

// From the inspection of the chat file.
struct ChatFacts {
  std::string status;  // ready | caution | blocked
  std::string summary;
  std::string digest;
  int64_t examples = 0;
  std::optional<double> duplicate_user_rate;
  std::map<std::string, int64_t> categories;
  std::optional<double> average_assistant_words, average_characters;  // user + assistant
  // Measured once the rows are encoded.
  std::optional<int64_t> sequences;                  // after packing
  std::optional<int64_t> supervised_tokens, masked_tokens, rows_without_supervision, skipped_long_rows;
};

// From the inspection of the eval file.
struct EvalFileFacts {
  std::string status;
  std::string summary;
  std::string digest;
  int64_t items = 0, items_without_rules = 0, unanswerable_items = 0;
  std::map<std::string, int64_t> categories, splits;
  std::optional<double> choice_random_baseline;  // mean of 1 / labels over choice rows; absent without any
};

struct ContaminationPair {
  std::string name, risk;  // risk: clean | low | medium | high | not_measured
  std::string reason;      // why it was not measured
};

struct ExternalContamination {
  std::string name;
  int64_t rows = 0, flagged_rows = 0;
};

// From honesty_report.json.
struct HonestyFacts {
  std::string status;  // ready | caution | blocked
  std::string summary;
  std::string digest;
  int64_t blocking_findings = 0, warning_findings = 0;
  std::optional<int64_t> exact_prompt_leaks, near_prompt_leaks, corpus_prompt_hits, corpus_support_phrase_hits;
  int64_t corpus_prompts_in_full = 0;  // of the hits: a whole prompt, or a run of most of it
  std::vector<ContaminationPair> pairs;
  std::vector<ExternalContamination> external;
  std::string first_finding;  // one line: file, row, shared text
};

struct ExternalFileFacts {
  std::string name, path, digest;
  std::optional<int64_t> rows;  // absent: the file could not be read
  std::string problem;
};

// The machine that will train. `deferred`: not this one.
struct DeviceFacts {
  bool deferred = false;
  std::string resolved;  // "cpu" | "cuda"; what --device auto means on this host
  std::string name;
  std::optional<int64_t> count, memory_bytes;
  std::optional<bool> bf16;
  std::vector<std::string> attention_backends;  // that load here; empty: not measured
  std::optional<int64_t> predicted_peak_bytes;  // per rank; else estimated from the shape
  std::optional<int64_t> disk_free_bytes;
  std::optional<double> tokens_per_second;      // all ranks together, at this shape
  std::string throughput_source;                // "sanity" | "dry_run" | "table"
};

struct SanityFacts {
  std::string status;  // passed | failed
  std::string digest, device;  // device: "cpu" | "cuda", or the GPU's name
  std::optional<bool> this_host;  // made on the machine that reads it
  std::vector<std::string> failed_checks;
};

}  // namespace picochat::gate
