// How many tokens a plan trains on, against how many it has and how many it should have.
#pragma once

#include <optional>
#include <string>

#include "picochat/base/json.hpp"
#include "picochat/gate/run_options.hpp"

namespace picochat::gate {

// What is known about the data when the budget is made; absent means not known.
struct BudgetInputs {
  std::optional<int64_t> vocab_size;          // of the trained tokenizer; else estimated from the options
  std::optional<int64_t> documents, characters;
  std::optional<int64_t> corpus_tokens;       // counted with the tokenizer; else estimated from characters
  std::optional<double> tokens_per_character; // measured on a sample with the tokenizer
  std::optional<double> tokens_per_character_stderr;
  std::optional<int64_t> sft_rows;
  std::optional<int64_t> sft_sequences;       // rows after packing; else estimated from the lengths below
  std::optional<double> average_chat_characters;  // user + assistant, per row
};

struct Budget {
  int64_t vocab_size = 0;
  int64_t estimated_parameters = 0;
  std::optional<int64_t> estimated_corpus_tokens;
  std::string corpus_tokens_source;  // "measured" | "sampled" | "estimated" | "unknown"
  std::optional<int64_t> corpus_tokens_margin;  // half a 95% interval, of a sample
  std::string corpus_token_note;
  std::optional<double> corpus_tokens_per_parameter;
  int64_t ddp_world_size = 1;
  int64_t base_effective_batch_size = 0, sft_effective_batch_size = 0;
  int64_t base_effective_tokens_per_step = 0;
  int64_t base_planned_tokens = 0;
  double target_param_data_ratio = 20;  // at least 1
  int64_t target_training_tokens = 0;
  std::optional<double> target_training_epochs;
  int64_t recommended_base_steps = 0, recommended_base_tokens = 0;
  std::optional<double> recommended_base_epochs;
  double planned_to_target_ratio = 0;
  int64_t sft_planned_example_updates = 0;  // sequences; times rows_per_sequence when packed
  double sft_rows_per_sequence = 1;
  std::optional<double> estimated_base_epochs, estimated_sft_example_epochs;
  int64_t base_lr_reference_effective_batch = 8;
  double base_lr_sqrt_scale = 1, sft_lr_sqrt_scale = 1;
  bool auto_lr_scaling = false;
  double base_effective_learning_rate = 0, sft_effective_learning_rate = 0;
  bool long_run = false;
  std::string long_run_reason;
  double flops_per_token = 0;
  double planned_flops = 0;
};

Budget compute_budget(const RunOptions& options, const BudgetInputs& inputs);
base::Json to_json(const Budget& budget);

// Configured size, else 512 for bpe, 128 for char; byte is always 264.
int64_t estimated_vocab_size(const RunOptions& options);
// 1 without ddp.
int64_t planned_world_size(const RunOptions& options);
// Steps between validations and log points: a 24th of the run.
int64_t validation_interval(int64_t steps);

// What a run keeps resident and writes, from its shape alone.
struct MemoryEstimate {
  int64_t parameters_bytes = 0, gradients_bytes = 0, optimizer_bytes = 0, activations_bytes = 0;
  int64_t total() const { return parameters_bytes + gradients_bytes + optimizer_bytes + activations_bytes; }
};
MemoryEstimate estimate_memory(const RunOptions& options, const ModelConfig& config, const std::string& device);
int64_t estimate_disk_bytes(const RunOptions& options, const Budget& budget);

// What large dense models reach of a GPU's peak; used for time estimates until a dry run measures it.
inline constexpr double kAssumedUtilisation = 0.35;

// Dense bf16 FLOP/s of one device by its name (NVIDIA's data sheets); nullopt for unknown devices.
std::optional<double> peak_flops(const std::string& device_name, const std::string& precision = "bf16", bool tf32 = false);

}  // namespace picochat::gate
