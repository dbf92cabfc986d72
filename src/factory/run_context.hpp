// What the stages of one run share: options, the directory, the cache, and the facts found so far.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compute.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/evidence/run_summary.hpp"
#include "picochat/factory/stage_cache.hpp"
#include "picochat/gate/preflight.hpp"
#include "picochat/gate/release_gate.hpp"
#include "picochat/gate/run_options.hpp"
#include "picochat/tokenizer/tokenizer.hpp"
#include "picochat/train/trainer.hpp"
#include "ranks.hpp"

namespace picochat::factory {

using base::Json;
using base::Path;

// Stages in their order (dpo only where preferences are given); --fresh STAGE clears that stage and the ones after it.
inline const std::vector<std::string> kStages{"corpus", "honesty", "tokenizer", "token_shards", "base", "sft", "dpo", "eval"};

struct RunContext {
  base::FileSystem& files;
  gate::ResolvedRunOptions resolved;
  Path dir;
  StageCache cache;
  std::string command;
  Group group;  // null: one process

  corpus::Corpus corpus;
  Compute compute;  // of this host; when a run is only planned, the CPU
  Path chat_input, eval_input;
  Json corpus_manifest, chat_report, eval_report, honesty_report;  // as their rooms wrote them
  gate::PreflightFacts facts;
  gate::Preflight preflight;
  std::shared_ptr<tokenizer::Tokenizer> tokenizer;
  Json base_report, sft_report, dpo_report;        // training reports; dpo null: not trained
  Json sft_fit, sft_fit_heldout, eval;             // whole eval reports; null: not run
  evidence::RunFacts summary;

  const gate::RunOptions& options() const { return resolved.options; }
  Json picked(const std::vector<std::string>& fields) const;  // those options as JSON
  Path at(const std::string& relative) const { return dir / relative; }
  base::Digest tokenizer_digest() const { return base::sha256_file(at("tokenizer.json")); }
};

// Runs `work` unless the stage is current; prints which, and records the time.
void run_stage(RunContext& run, const StageKey& key, const std::vector<Path>& outputs, const std::function<void()>& work);

// inputs.cpp: copies of what the run was made from, so that its directory is whole without the pack
void record_inputs(RunContext& run);
// data_stages.cpp
void corpus_stage(RunContext& run);
void honesty_stage(RunContext& run);
void judge_preflight_stage(RunContext& run, bool training_starts);
void tokenizer_stage(RunContext& run);
void shards_stage(RunContext& run);
// train_stages.cpp
void base_stage(RunContext& run);
void sft_stage(RunContext& run);
void dpo_stage(RunContext& run);
// judge_stages.cpp
void eval_stages(RunContext& run);
gate::GateVerdict gate_stage(RunContext& run);
// generated_replies.cpp: honesty/generated_report.json
void check_generated_replies(RunContext& run, const Json& eval_report);

// Phrases that stand in the training text only; a model that completes one has memorised it.
inline constexpr const char* kCanaryPrefix = "Memorization canary phrase: ";
std::string canary_value(int64_t seed, int64_t index);  // "pico-canary-0042-00"
std::string canary_line(int64_t seed, int64_t index);

}  // namespace picochat::factory
