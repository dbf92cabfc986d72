// The training of one stage, apart from where it stands in a run.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "picochat/base/file_system.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/factory/stage_cache.hpp"
#include "picochat/gate/run_options.hpp"
#include "picochat/tokenizer/tokenizer.hpp"
#include "picochat/train/trainer.hpp"

namespace picochat::factory {

using base::Json;
using base::Path;

struct StageTraining {
  base::FileSystem& files;
  const gate::RunOptions& options;
  Path dir;     // holds metrics.jsonl and progress.json; paths in reports are relative to it
  Path folder;  // checkpoints and reports: a part of `dir`, or `dir` itself
  Path tokenizer_path;
  std::shared_ptr<tokenizer::Tokenizer> tokenizer;
  double learning_rate = 0;  // peak, after scaling
  std::string fingerprint;   // of what the result depends on
  int64_t eval_every = 0;    // 0: as often as a run does
  double val_fraction = 0.2;  // of SFT's conversations
  int64_t sample_tokens = 160;
  std::string sample_prompt = "What is Picochat?";  // of SFT
};

// The options that decide a stage's result, by their names in `run tiny`.
std::vector<std::string> model_fields();
std::vector<std::string> training_fields(const std::string& prefix, const std::vector<std::string>& more);
Json picked(const gate::RunOptions& options, const std::vector<std::string>& fields);

// Trains, publishes the checkpoints, writes and returns the report.
Json train_base(const StageTraining& stage, const corpus::Corpus& corpus, const Path& token_shards);
Json train_sft(const StageTraining& stage, const Path& start_checkpoint, const Path& chat);

// Refuses to discard finished or resumable training in `folder` when the key differs; `discard` is the flag that does.
void refuse_changed_training(const StageCache& cache, base::FileSystem& files, const StageKey& key, const Path& folder, const std::string& discard);
void drop_working_checkpoints(base::FileSystem& files, const Path& folder);

}  // namespace picochat::factory
