// scale_capacity: real optimizer steps of a preset's model on this device, and what the whole preset would take at that speed.
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "factory/preflight_facts.hpp"
#include "factory/sanity/check.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/budget.hpp"
#include "picochat/model/optimizer_kernels.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/model/transformer.hpp"
#include "picochat/train/optimizer.hpp"

namespace picochat::factory::sanity {

using base::cat;

Finding scale_capacity(const Context& context) {
  if (!context.options.capacity_scale) return skipped("not asked for: --capacity-scale PRESET");
  const auto resolved = gate::resolve_run_options({{"scale", *context.options.capacity_scale}, {"device", "cpu"}, {"precision", "float32"}, {"out_dir", context.work.string()}});
  gate::RunOptions preset = resolved.options;
  const int64_t vocab = gate::estimated_vocab_size(preset), world = gate::planned_world_size(preset);
  if (context.options.capacity_batch_size) {  // sequences of a step stay what the preset says
    preset.base_grad_accum_steps = std::max<int64_t>(1, preset.base_grad_accum_steps * preset.base_batch_size / *context.options.capacity_batch_size);
    preset.base_batch_size = *context.options.capacity_batch_size;
  }
  const auto config = gate::model_config(preset, vocab);
  const Json shape{{"model", gate::to_json(config)}, {"sequences_per_step", preset.base_batch_size * preset.base_grad_accum_steps}};
  // A CPU measures one row at a time: its speed hardly depends on the rows, and a whole micro-batch would take minutes.
  const int64_t rows = context.options.capacity_batch_size ? preset.base_batch_size : 1;
  const int64_t memory = usable_memory();
  const int64_t planned = 4 * 4 * config.parameter_count() + model::Transformer::arena_bytes(config, rows, config.context_size, true);
  const double free_when_planned = 1 - static_cast<double>(planned) / static_cast<double>(memory);
  Json extras{{"scale", *context.options.capacity_scale}, {"batch_size", rows}, {"context_size", config.context_size}, {"parameters", config.parameter_count()}, {"shape", shape},
              {"planned_memory_gb", 1e-9 * static_cast<double>(planned)}, {"total_memory_gb", 1e-9 * static_cast<double>(memory)}};
  if (planned > memory) {
    Finding none = skipped(cat("device cpu: ", *context.options.capacity_scale, " takes ", base::human_bytes(static_cast<uint64_t>(planned)), " and this host may use ", base::human_bytes(static_cast<uint64_t>(memory)), "; it is meant for a GPU"));
    none.extras = extras;
    return none;
  }
  const model::ParameterLayout layout(config);
  auto parameters = model::allocate_flat(layout.size()), gradients = model::allocate_flat(layout.size());
  model::initialize(config, 123, parameters);
  context.fault(parameters);
  model::Transformer transformer(config, rows, config.context_size, true);
  train::Optimizer optimizer(layout, {.name = preset.base_optimizer, .beta1 = preset.base_beta1, .beta2 = preset.base_beta2});
  const int64_t tokens = rows * config.context_size;
  std::vector<int32_t> ids, targets;
  base::Random random(1, "sanity capacity");
  for (int64_t i = 0; i < tokens; ++i) {
    ids.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(vocab))));
    targets.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(vocab))));
  }
  // Accumulation as the preset has it would only repeat the same micro-step: two of them, then the update.
  constexpr int64_t kMicroSteps = 2, kSteps = 2;
  const model::Batch batch{.rows = rows, .length = config.context_size, .tokens = ids.data(), .targets = targets.data(), .uniform_weight = 1.0f / static_cast<float>(kMicroSteps * tokens)};
  double loss = 0, micro_seconds = 1e300, update_seconds = 1e300;
  for (int64_t step = 1; step <= kSteps; ++step) {
    loss = 0;
    for (int64_t micro = 0; micro < kMicroSteps; ++micro) {
      base::throw_if_interrupted();
      const double begun = base::monotonic_seconds();
      loss += transformer.forward_backward(batch, parameters, gradients);
      micro_seconds = std::min(micro_seconds, base::monotonic_seconds() - begun);
    }
    const double begun = base::monotonic_seconds();
    const double norm = std::sqrt(model::squared_norm(gradients.data_ptr<float>(), layout.size()));
    optimizer.step({.step = step, .learning_rate = 1e-4, .weight_decay = preset.base_weight_decay, .gradient_scale = norm > 1 ? 1 / norm : 1}, parameters, gradients);
    update_seconds = std::min(update_seconds, base::monotonic_seconds() - begun);
  }
  const int64_t peak = peak_resident_bytes();
  const double free_fraction = 1 - static_cast<double>(peak) / static_cast<double>(memory);
  const double micro_steps_of_a_step = static_cast<double>(preset.base_batch_size * preset.base_grad_accum_steps) / static_cast<double>(rows);
  const double step_seconds = micro_steps_of_a_step * micro_seconds + update_seconds;
  const double rate = static_cast<double>(preset.base_batch_size * preset.base_grad_accum_steps * config.context_size) / step_seconds;
  const double hours = static_cast<double>(preset.base_steps) * step_seconds / 3600;
  extras.update({{"peak_memory_gb", 1e-9 * static_cast<double>(peak)}, {"free_fraction", free_fraction}, {"free_fraction_planned", free_when_planned}, {"loss", std::isfinite(loss) ? Json(loss) : Json(nullptr)},
                 {"tokens_per_sec", rate}, {"step_seconds", step_seconds}, {"world_size", world}, {"projected_hours", hours},
                 {"projected_usd", context.options.gpu_hourly_usd > 0 ? Json(hours * context.options.gpu_hourly_usd * static_cast<double>(world)) : Json(nullptr)}});
  const std::string dollars = context.options.gpu_hourly_usd > 0 ? cat(", ", base::fixed(hours * context.options.gpu_hourly_usd * static_cast<double>(world), 0), " USD") : "";
  return passed_if(std::isfinite(loss) && free_fraction >= context.options.capacity_min_free_fraction,
                   cat(*context.options.capacity_scale, ": ", base::fixed(rate, 0), " tokens/s on this device, the preset's ", base::grouped(preset.base_steps), " steps would take ", base::fixed(hours, 1), " h", dollars,
                       "; peak memory ", base::human_bytes(static_cast<uint64_t>(peak)), ", ", base::fixed(100 * free_fraction, 0), "% free (at least ", base::fixed(100 * context.options.capacity_min_free_fraction, 0), "% wanted)"),
                   extras);
}

}  // namespace picochat::factory::sanity
