// Which model a command means: a run, a checkpoint in it, or a checkpoint with a tokenizer.
#pragma once

#include <optional>
#include <string>

#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"
#include "picochat/eval/language_model.hpp"

namespace picochat::serve {

struct ModelOptions {
  std::optional<std::string> run;         // a run directory or a checkpoint
  std::optional<std::string> checkpoint, tokenizer;
  std::string device = "auto";
  int64_t threads = 0, draft_tokens = 7;
};

struct ModelFiles {
  base::Path checkpoint, tokenizer;
  std::string stage;  // "base", "sft", "dpo"; empty: not known
};

// A run's best answer to "which checkpoint?": that of its last stage, and while none is selected the newest resumable one.
// Nothing when there is no checkpoint yet.
std::optional<ModelFiles> newest_model(const base::Path& run);

// Usage error when the options name no model or two; BadInput saying where it was looked for when there is none.
ModelFiles find_model(const ModelOptions& options);

// find_model(), loaded and verified, and said on stderr. Environment error for a device that cannot decode.
eval::LanguageModel load_model(const ModelOptions& options);

// Adds the fields of ModelOptions to the table of a command whose options derive from it.
template <typename S>
void add_model_options(base::OptionTable<S>& table) {
  table.add("run", &ModelOptions::run, "a run directory, or a checkpoint folder").place().in("Model").metavar = "RUN";
  table.add("checkpoint", &ModelOptions::checkpoint, "a checkpoint folder").in("Model").metavar = "DIR";
  table.add("tokenizer", &ModelOptions::tokenizer, "its tokenizer.json; default: that of the run").in("Model").metavar = "FILE";
  table.add("device", &ModelOptions::device, "where to compute; only the CPU decodes in this build").choose({"auto", "cpu", "cuda"}).in("Model");
  table.add("threads", &ModelOptions::threads, "compute threads; 0: one per core").at_least(0).in("Model");
  table.add("draft_tokens", &ModelOptions::draft_tokens, "tokens guessed ahead by an 8-bit copy of the weights and checked by the model: same text, sooner; 0: none").at_least(0).at_most(31).in("Model");
}

}  // namespace picochat::serve
