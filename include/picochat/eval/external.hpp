// Published multiple-choice benchmarks, scored as lm-evaluation-harness scores them (log-likelihood of each
// choice's text after the question) and, apart and under its own name, by the likelihood of the answer's letter
// in the chat format. Rules: docs/evaluation.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/options.hpp"
#include "picochat/eval/language_model.hpp"
#include "picochat/tasks/benchmark_file.hpp"

namespace picochat::eval {

// A context and the continuations that are scored after it, leading space included.
struct ExternalPrompt {
  std::string context;
  std::vector<std::string> continuations;
};
// The row as the harness asks it, with `shots` before the question, in order: one prompt with a continuation for each choice, or,
// where the choice stands in the context (WinoGrande), a prompt for each choice.
std::vector<ExternalPrompt> external_prompts(const tasks::BenchmarkFile& file, const tasks::BenchmarkRow& row, std::span<const tasks::BenchmarkRow> shots);

struct ExternalEvalOptions {
  std::string input, checkpoint, tokenizer, out_dir;
  std::string benchmark_name = "external";
  int64_t num_fewshot = 0;  // from the dev file beside the benchmark
  int64_t max_rows = 0;     // 0: all; else chosen by keyed hash
  std::string device = "auto";
  int64_t batch_rows = 16;
  int64_t seed = 42;
  double ci_confidence = 0.95;
};
const base::OptionTable<ExternalEvalOptions>& external_eval_options();

// eval_report.json of a benchmark: config, checkpoint, tokenizer, input{path, sha256, rows, layout}, summary,
// contamination (when `flagged` is given: lines of rows that were found in the training material), examples[], timing.
base::Json eval_external(const ExternalEvalOptions& options, const tasks::BenchmarkFile& file, const base::Json& input_identity,
                         const LanguageModel& model, const std::optional<std::set<int64_t>>& flagged);
std::string external_markdown(const base::Json& report, const std::string& name);
void write_external_report(base::FileSystem& files, const base::Path& folder, const base::Json& report, const std::string& name);

// `eval external`: reads the files, scores, writes <out-dir>/eval_report.json and report.md. Returns the report.
base::Json run_eval_external(const ExternalEvalOptions& options, base::FileSystem& files);

}  // namespace picochat::eval
