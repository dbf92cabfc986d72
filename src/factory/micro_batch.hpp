// --base-batch-size auto: the largest micro-batch that a device's memory takes, the sequences of a step unchanged.
#pragma once

#include "compute.hpp"
#include "picochat/gate/model_config.hpp"
#include "picochat/train/process_group.hpp"

namespace picochat::factory {

// The flat buffers and the arena of a stage with micro-batches of `rows`, in bytes.
int64_t training_bytes(const gate::RunOptions& options, const gate::ModelConfig& config, int64_t rows, const model::TransformerOptions& compute);

// The largest `rows` that divides `rows_of_a_step` and whose training takes at most `memory` bytes; 0 when not even one row fits.
int64_t largest_micro_batch(const gate::RunOptions& options, const gate::ModelConfig& config, int64_t rows_of_a_step, int64_t memory, const model::TransformerOptions& compute);

// Settles base_batch_size and base_grad_accum_steps when "auto" was asked for: by the memory of the rank that has least. On the CPU the
// preset's stay. group: null for one process.
void settle_micro_batch(gate::RunOptions& options, const Compute& compute, train::ProcessGroup* group = nullptr);

}  // namespace picochat::factory
