// `eval chat` and `eval sft-fit`: rows asked of a model, scored, summed up, written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "picochat/base/options.hpp"
#include "picochat/eval/language_model.hpp"
#include "picochat/eval/report.hpp"
#include "picochat/tasks/rows.hpp"

namespace picochat::eval {

struct ChatEvalOptions {
  std::string input, checkpoint, tokenizer, out_dir;
  int64_t max_new_tokens = 80;
  double temperature = 0;
  int64_t top_k = 0;  // <= 0: off
  double top_p = 1, repetition_penalty = 1;
  int64_t seed = 42;
  std::string device = "auto";
  std::string precision = "float32", matmul_precision = "default";
  int64_t log_every = 0;  // 0: about ten lines
  int64_t max_rows = 0;   // 0: all
  int64_t batch_rows = 32;
  bool case_sensitive = false;
  std::optional<std::string> support_corpus;
  double corpus_support_threshold = 0.25;
  std::optional<int64_t> ci_bootstrap_samples;  // accepted for old scripts; intervals are Wilson's
  double ci_confidence = 0.95;
};
const base::OptionTable<ChatEvalOptions>& chat_eval_options();  // `eval chat`
const base::OptionTable<ChatEvalOptions>& sft_fit_options();    // `eval sft-fit`: --input is a chat.jsonl

// The next document of the support corpus; false at the end.
using SupportStream = std::function<bool(std::string& text)>;

struct EvalJob {
  std::span<const tasks::EvalRow> rows;
  base::Json input_identity = base::Json::object();  // {path, sha256, rows}
  std::string label = "eval";                        // first word of the progress lines
  std::string where;                                 // last word of the progress lines: the folder
  std::function<SupportStream()> open_support_corpus;  // empty: corpus support is not measured
};

// Generates or scores every row in batches. Throws Interrupted between tokens on a signal.
EvalReport eval_chat(const ChatEvalOptions& options, const EvalJob& job, const LanguageModel& model);

// Eval rows that ask a model for what it was trained on. `split` is "sft_train" or "sft_heldout"; at
// most max_rows (0: all), chosen by keyed hash so that a cap does not favour the front of the file.
// The caller passes the very rows that were trained on (or held out), never line numbers.
std::vector<tasks::EvalRow> sft_fit_rows(std::span<const tasks::ChatRow> rows, const std::string& split,
                                         int64_t max_rows, uint64_t seed);

// The commands: read files, evaluate, write <out-dir>/eval_report.json and report.md (sft-fit also
// sft_fit_eval.jsonl), print the category table. Returns the report.
EvalReport run_eval_chat(const ChatEvalOptions& options, base::FileSystem& files);
EvalReport run_eval_sft_fit(const ChatEvalOptions& options, base::FileSystem& files);

}  // namespace picochat::eval
