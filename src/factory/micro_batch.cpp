#include "micro_batch.hpp"

#include <algorithm>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/budget.hpp"
#include "picochat/model/device.hpp"
#include "picochat/model/parameter_units.hpp"

namespace picochat::factory {

using base::cat;

int64_t training_bytes(const gate::RunOptions& o, const gate::ModelConfig& config, int64_t rows, const model::TransformerOptions& compute) {
  const model::ParameterLayout layout(config);
  const int64_t ranks = gate::planned_world_size(o), average = o.base_ema_decay > 0 ? 4 : 0;
  const bool sharded = o.distributed_strategy == "fsdp" && ranks > 1;
  int64_t computed = layout.decay_size(), bytes = 0;  // values that are also held in the type that computes
  if (sharded) {
    const auto units = model::parameter_units(layout);
    const auto largest = *std::max_element(units.begin() + 1, units.end(), [](const auto& a, const auto& b) { return a.size < b.size; });
    bytes = (16 + average) * layout.size() / ranks + 2 * 4 * (units[0].size + largest.size);  // gathered weights and their gradients
    computed = units[0].decay_size + largest.decay_size;
  } else {
    bytes = (8 + average) * layout.size() + 8 * layout.size() / (o.distributed_strategy == "zero1" ? ranks : 1);  // parameters, gradients; two moments
  }
  if (compute.dtype == at::kBFloat16) bytes += 2 * computed;
  return bytes + model::Transformer::arena_bytes(config, rows, config.context_size, true, compute);
}

int64_t largest_micro_batch(const gate::RunOptions& options, const gate::ModelConfig& config, int64_t rows_of_a_step, int64_t memory, const model::TransformerOptions& compute) {
  for (int64_t rows = rows_of_a_step; rows >= 1; --rows)
    if (rows_of_a_step % rows == 0 && training_bytes(options, config, rows, compute) <= memory) return rows;
  return 0;
}

void settle_micro_batch(gate::RunOptions& o, const Compute& compute, train::ProcessGroup* group) {
  if (!o.base_batch_auto) return;
  if (compute.device == "cpu") return base::say(cat("base batch: auto is ", o.base_batch_size, " on the CPU, where larger ones are no faster"));
  // Libraries' workspaces, attention's own buffers and the graph live outside the arena.
  constexpr double kShare = 0.85;
  const auto config = gate::model_config(o, gate::estimated_vocab_size(o));
  auto memory = model::device_memory(compute.options.device);
  if (group)
    for (const auto& rank : group->all_gather(std::vector<double>{static_cast<double>(memory.free)})) memory.free = std::min(memory.free, static_cast<int64_t>(rank[0]));
  const int64_t rows_of_a_step = o.base_batch_size * o.base_grad_accum_steps, usable = static_cast<int64_t>(kShare * static_cast<double>(memory.free));
  const int64_t rows = largest_micro_batch(o, config, rows_of_a_step, usable, compute.options);
  if (rows == 0)
    throw base::environment_error({.what = "not even a micro-batch of one sequence fits into the device's memory", .where = "--base-batch-size auto",
                                   .expected = base::human_bytes(static_cast<uint64_t>(training_bytes(o, config, 1, compute.options))), .found = cat(base::human_bytes(static_cast<uint64_t>(memory.free)), " free"),
                                   .remedy = "add --gradient-checkpointing, stop what else uses the device, or choose a smaller model"});
  o.base_batch_size = rows;
  o.base_grad_accum_steps = rows_of_a_step / rows;
  base::say(cat("base batch: ", rows, " sequences x ", o.base_grad_accum_steps, " micro-batches a step, ", base::human_bytes(static_cast<uint64_t>(training_bytes(o, config, rows, compute.options))), " planned of ",
                base::human_bytes(static_cast<uint64_t>(memory.free)), " free"));
}

}  // namespace picochat::factory
