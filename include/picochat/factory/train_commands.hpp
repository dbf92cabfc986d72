// `train base`, `train sft`, `train dpo`, `train lr-range` and `batch inspect`: one stage of a run by itself, on the same loop
// and with the same reports as `run tiny`. The same command goes on where it was interrupted.
#pragma once

#include <optional>
#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"
#include "picochat/gate/run_options.hpp"

namespace picochat::factory {

// What these commands have beside the options of a run, which they take under shorter names.
struct TrainCommandOptions : gate::RunOptions {
  std::string tokenizer;
  double val_fraction = 0.1;
  int64_t log_every = 0;  // steps between validations; 0: 24 times in all
  bool discard = false;   // --fresh
  int64_t eval_batches = 0;
  std::optional<std::string> resume_from, corpus_manifest;
  int64_t sample_tokens = 120;
};

struct TrainBaseOptions : TrainCommandOptions {
  TrainBaseOptions();
  std::string corpus;
  std::optional<int64_t> held_out_tokens;  // --val-tokens; else val_fraction of the corpus
};
const base::OptionTable<TrainBaseOptions>& train_base_options();
base::CommandOutput train_base_command(base::FileSystem& files, const TrainBaseOptions& options);

struct TrainSftOptions : TrainCommandOptions {
  TrainSftOptions();
  std::string input, checkpoint, sample_prompt = "What is Picochat?";
};
const base::OptionTable<TrainSftOptions>& train_sft_options();
base::CommandOutput train_sft_command(base::FileSystem& files, const TrainSftOptions& options);

// DPO: a checkpoint learns to prefer one reply over another, from pairs of them.
struct TrainDpoOptions : TrainCommandOptions {
  TrainDpoOptions();
  std::string input, checkpoint, sample_prompt = "What is Picochat?";
  std::optional<std::string> reference_checkpoint;
};
const base::OptionTable<TrainDpoOptions>& train_dpo_options();
base::CommandOutput train_dpo_command(base::FileSystem& files, const TrainDpoOptions& options);

// SFT over a grid; --learning-rate, --max-steps and --sampling are lists here.
struct SftSweepOptions : TrainSftOptions {
  SftSweepOptions();
  std::string learning_rates = "0.00003,0.00005,0.0001", step_counts = "160,400,800", samplings = "category_sqrt";
  std::optional<std::string> eval_input;
};
const base::OptionTable<SftSweepOptions>& sft_sweep_options();
base::CommandOutput sft_sweep_command(base::FileSystem& files, const SftSweepOptions& options);

// Raises the learning rate step by step and watches the loss: how high may it be?
struct LrRangeOptions : TrainBaseOptions {
  LrRangeOptions();
  double min_lr = 1e-6, max_lr = 3e-4, divergence_factor = 4, smoothing_beta = 0.98;
};
const base::OptionTable<LrRangeOptions>& lr_range_options();
base::CommandOutput lr_range_command(base::FileSystem& files, const LrRangeOptions& options);

// What a training step is fed: token ids, their text, and which of them are learned from.
struct BatchInspectOptions {
  std::string tokenizer;
  std::optional<std::string> corpus, input;  // text for base training, or chat rows for SFT
  int64_t context_size = 64, batch_size = 4, grad_accum_steps = 1, step = 1, examples = 2, seed = 42;
  double val_fraction = 0.1;
  std::string split_mode = "window", dataset_mode = "memory", sampling = "uniform", packing = "separate";
  bool json = false;
};
const base::OptionTable<BatchInspectOptions>& batch_inspect_options();
base::CommandOutput batch_inspect_command(base::FileSystem& files, const BatchInspectOptions& options);

}  // namespace picochat::factory
