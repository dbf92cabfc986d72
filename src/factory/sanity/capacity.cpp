// scale_capacity: real optimizer steps of a preset's model on this device, and what the whole preset would take at that speed.
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "factory/micro_batch.hpp"
#include "factory/preflight_facts.hpp"
#include "factory/sanity/check.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/budget.hpp"
#include "picochat/model/device.hpp"
#include "picochat/model/kernel_check.hpp"
#include "picochat/model/optimizer_kernels.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/model/transformer.hpp"
#include "picochat/train/optimizer.hpp"

namespace picochat::factory::sanity {

using base::cat;

namespace {

struct Plan {
  gate::RunOptions preset;
  model::Config config;
  model::TransformerOptions compute;
  int64_t rows = 1;       // of a measured micro-step
  int64_t memory = 0;     // that this device or host may use
  int64_t planned = 0;
};

Plan plan_of(const Context& context) {
  Plan plan{.compute = context.compute.options};
  const bool cuda = context.cuda();
  const auto resolved = gate::resolve_run_options({{"scale", *context.options.capacity_scale}, {"device", "cpu"}, {"precision", "float32"}, {"out_dir", context.work.string()}});
  gate::RunOptions& preset = plan.preset = resolved.options;
  if (context.options.capacity_batch_size) {  // sequences of a step stay what the preset says
    preset.base_grad_accum_steps = std::max<int64_t>(1, preset.base_grad_accum_steps * preset.base_batch_size / *context.options.capacity_batch_size);
    preset.base_batch_size = *context.options.capacity_batch_size;
  }
  plan.config = gate::model_config(preset, gate::estimated_vocab_size(preset));
  // A CPU measures one row at a time: its speed hardly depends on the rows, and a whole micro-batch would take minutes.
  plan.rows = cuda || context.options.capacity_batch_size ? preset.base_batch_size : 1;
  plan.memory = cuda ? model::device_memory(plan.compute.device).total : usable_memory();
  plan.compute.graph = cuda && preset.torch_compile;
  auto planned = [&] { return training_bytes(preset, plan.config, plan.rows, plan.compute); };
  plan.planned = planned();
  if (cuda && plan.planned > plan.memory) {  // blocks run again instead of being kept
    plan.compute.recompute = true;
    plan.planned = planned();
  }
  return plan;
}

struct Measured {
  double loss = 0, micro_seconds = 0, update_seconds = 0;
  std::string attention;
};

Measured measure(const Context& context, const Plan& plan) {
  const at::Device device = plan.compute.device;
  const model::StreamScope stream(device);
  const model::ParameterLayout layout(plan.config);
  const at::Tensor initial = model::allocate_flat(layout.size()), parameters = model::allocate_flat(layout.size(), device), gradients = model::allocate_flat(layout.size(), device);
  model::initialize(plan.config, 123, initial);
  context.fault(initial);
  parameters.copy_(initial);
  model::Transformer transformer(plan.config, plan.rows, plan.config.context_size, true, plan.compute);
  train::Optimizer optimizer(layout, {.name = plan.preset.base_optimizer, .beta1 = plan.preset.base_beta1, .beta2 = plan.preset.base_beta2}, device);
  const int64_t tokens = plan.rows * plan.config.context_size;
  std::vector<int32_t> ids, targets;
  base::Random random(1, "sanity capacity");
  for (int64_t i = 0; i < tokens; ++i) {
    ids.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(plan.config.vocab_size))));
    targets.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(plan.config.vocab_size))));
  }
  // Accumulation as the preset has it would only repeat the same micro-step: a few of them, then the update. On a GPU the
  // first steps make plans and the graph; on a CPU the better of two counts.
  const int64_t micro_steps = device.is_cuda() ? 10 : 2, steps = device.is_cuda() ? 4 : 2;
  const model::Batch batch{.rows = plan.rows, .length = plan.config.context_size, .tokens = ids.data(), .targets = targets.data(), .uniform_weight = 1.0f / static_cast<float>(micro_steps * tokens)};
  Measured out{.micro_seconds = 1e300, .update_seconds = 1e300};
  for (int64_t step = 1; step <= steps; ++step) {
    base::throw_if_interrupted();
    double begun = base::monotonic_seconds();
    for (int64_t micro = 0; micro < micro_steps; ++micro) transformer.accumulate(batch, parameters, gradients);
    out.loss = transformer.take_loss();
    out.micro_seconds = std::min(out.micro_seconds, (base::monotonic_seconds() - begun) / static_cast<double>(micro_steps));
    begun = base::monotonic_seconds();
    const double norm = std::sqrt(model::squared_norm(gradients));
    optimizer.step({.step = step, .learning_rate = 1e-4, .weight_decay = plan.preset.base_weight_decay, .gradient_scale = norm > 1 ? 1 / norm : 1}, parameters, gradients);
    transformer.parameters_changed();
    model::synchronize(device);
    out.update_seconds = std::min(out.update_seconds, base::monotonic_seconds() - begun);
  }
  out.attention = transformer.attention_used();
  return out;
}

Json kernel_times(const Plan& plan, const std::string& attention) {
  Json list = Json::array();
  for (const auto& t : model::time_kernels(plan.compute.device, plan.compute.dtype, plan.config, plan.rows, attention))
    list.push_back({{"kernel", t.kernel}, {"microseconds", t.microseconds}, {"calls", t.calls}, {"gb_per_second", t.gigabytes > 0 ? Json(1e6 * t.gigabytes / t.microseconds) : Json(nullptr)},
                    {"tflops", t.gigaflops > 0 ? Json(1e3 * t.gigaflops / t.microseconds) : Json(nullptr)}});
  return list;
}

}  // namespace

Finding scale_capacity(const Context& context) {
  if (!context.options.capacity_scale) return skipped("not asked for: --capacity-scale PRESET");
  const Plan plan = plan_of(context);
  const gate::RunOptions& preset = plan.preset;
  const int64_t world = gate::planned_world_size(preset);
  const Json shape{{"model", gate::to_json(plan.config)}, {"sequences_per_step", preset.base_batch_size * preset.base_grad_accum_steps}};
  const double free_when_planned = 1 - static_cast<double>(plan.planned) / static_cast<double>(plan.memory);
  Json extras{{"scale", *context.options.capacity_scale}, {"batch_size", plan.rows}, {"context_size", plan.config.context_size}, {"parameters", plan.config.parameter_count()}, {"shape", shape},
              {"planned_memory_gb", 1e-9 * static_cast<double>(plan.planned)}, {"total_memory_gb", 1e-9 * static_cast<double>(plan.memory)}};
  if (plan.planned > plan.memory) {
    const std::string need = cat(*context.options.capacity_scale, " takes ", base::human_bytes(static_cast<uint64_t>(plan.planned)), " and this ", context.cuda() ? "GPU has " : "host may use ", base::human_bytes(static_cast<uint64_t>(plan.memory)));
    Finding none = context.cuda() ? passed_if(false, cat(need, ": lower --capacity-batch-size")) : skipped(cat("device cpu: ", need, "; it is meant for a GPU"));
    none.extras = extras;
    return none;
  }
  model::reset_peak_device_bytes(plan.compute.device);
  const Measured measured = measure(context, plan);
  const int64_t peak = context.cuda() ? model::peak_device_bytes(plan.compute.device) : peak_resident_bytes();
  const double free_fraction = 1 - static_cast<double>(peak) / static_cast<double>(plan.memory);
  const double micro_steps_of_a_step = static_cast<double>(preset.base_batch_size * preset.base_grad_accum_steps) / static_cast<double>(plan.rows);
  const double step_seconds = micro_steps_of_a_step * measured.micro_seconds + measured.update_seconds;
  const double rate = static_cast<double>(preset.base_batch_size * preset.base_grad_accum_steps * plan.config.context_size) / step_seconds;
  const double hours = static_cast<double>(preset.base_steps) * step_seconds / 3600;
  const double mfu = context.compute.peak_flops > 0 ? rate * plan.config.flops_per_token() / context.compute.peak_flops : 0;
  extras.update({{"peak_memory_gb", 1e-9 * static_cast<double>(peak)}, {"free_fraction", free_fraction}, {"free_fraction_planned", free_when_planned}, {"loss", std::isfinite(measured.loss) ? Json(measured.loss) : Json(nullptr)},
                 {"tokens_per_sec", rate}, {"step_seconds", step_seconds}, {"micro_step_seconds", measured.micro_seconds}, {"update_seconds", measured.update_seconds}, {"mfu", mfu > 0 ? Json(mfu) : Json(nullptr)},
                 {"attention", measured.attention}, {"recomputed", plan.compute.recompute}, {"world_size", world}, {"projected_hours", hours},
                 {"projected_usd", context.options.gpu_hourly_usd > 0 ? Json(hours * context.options.gpu_hourly_usd * static_cast<double>(world)) : Json(nullptr)}});
  if (context.cuda()) extras["kernel_times"] = kernel_times(plan, measured.attention);
  const std::string dollars = context.options.gpu_hourly_usd > 0 ? cat(", ", base::fixed(hours * context.options.gpu_hourly_usd * static_cast<double>(world), 0), " USD") : "";
  return passed_if(std::isfinite(measured.loss) && free_fraction >= context.options.capacity_min_free_fraction,
                   cat(*context.options.capacity_scale, ": ", base::fixed(rate, 0), " tokens/s on this device", mfu > 0 ? cat(" (MFU ", base::fixed(100 * mfu, 1), "%)") : "", ", the preset's ", base::grouped(preset.base_steps), " steps would take ", base::fixed(hours, 1), " h", dollars,
                       "; peak memory ", base::human_bytes(static_cast<uint64_t>(peak)), ", ", base::fixed(100 * free_fraction, 0), "% free (at least ", base::fixed(100 * context.options.capacity_min_free_fraction, 0), "% wanted)"),
                   extras);
}

}  // namespace picochat::factory::sanity
