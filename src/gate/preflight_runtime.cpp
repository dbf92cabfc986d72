// The machine: what it must be able to do, hold and pay for.
#include <algorithm>
#include <array>

#include "gate/preflight_sheet.hpp"

namespace picochat::gate {

using base::cat;
using base::fixed;
using base::grouped;

namespace {

constexpr const char* kRuntime = "Runtime";
constexpr const char* kHost = "Host";

bool accelerated(const std::string& backend) {
  static const std::array<std::string, 5> names{"flash", "external_flash", "fa3", "efficient", "cudnn"};
  return std::find(names.begin(), names.end(), backend) != names.end();
}

void check_attention(Sheet& s) {
  const RunOptions& o = s.options;
  const std::string device = s.device(), metric = cat(o.attn_backend, " / ", device, " / ", o.precision);
  const char* rule = "an accelerated backend needs cuda, bf16 or fp16, and must load there";
  auto add = [&](CheckStatus status, const std::string& message, const std::string& remedy = "") {
    s.add(kRuntime, "attention_backend_runtime", status, metric, rule, message, remedy);
  };
  if (!accelerated(o.attn_backend)) return add(CheckStatus::kPass, "runs on any device");
  if (device == "cpu")
    return add(CheckStatus::kBlock, cat(o.attn_backend, " attention does not run on the CPU"),
               "use --attn-backend auto here, or plan for the GPU host with --device cuda");
  if (o.precision == "float32")
    return add(CheckStatus::kBlock, cat(o.attn_backend, " attention does not compute in float32"), "use --precision bf16");
  if (device == "auto" || !s.facts.device) return add(s.unknown_of_host(), "no device was asked", "use --device cuda and run this on the GPU host");
  if (s.facts.device->deferred) return add(CheckStatus::kDeferredToHost, "the GPU host will tell", "run preflight again on the GPU host");
  const auto& loaded = s.facts.device->attention_backends;
  if (loaded.empty()) return add(CheckStatus::kNotMeasured, "the device was not asked which backends it runs", "run `picochat sanity preh100`");
  if (std::find(loaded.begin(), loaded.end(), o.attn_backend) == loaded.end())
    return add(CheckStatus::kBlock, cat(o.attn_backend, " attention does not load on this device (it runs ", base::join(loaded, ", "), ")"),
               "use --attn-backend auto");
  add(CheckStatus::kPass, "loads on this device");
}

void check_ddp(Sheet& s) {
  const RunOptions& o = s.options;
  if (o.ddp) {
    const bool muon = o.base_optimizer == "muon" || o.sft_optimizer == "muon";
    s.add(kRuntime, "ddp_muon_optimizer", s.warn_if(muon), muon ? "muon" : "adamw", "warn: muon under ddp",
          muon ? "every rank repeats Muon's matrix work" : "the optimizer shares its work well", "use --base-optimizer adamw unless a dry run shows that muon pays");
  }
  const std::string& scale = o.scale;
  if (scale.size() < 5 || scale.substr(scale.size() - 5) != "-ddp8") return;
  const int64_t ranks = s.budget.ddp_world_size;
  s.add(kRuntime, "ddp_scale_launch", ranks == 8 ? CheckStatus::kPass : ranks == 1 ? CheckStatus::kBlock : s.quality(true, true),
        cat(ranks, ranks == 1 ? " rank" : " ranks"), "8 ranks; another number warns, blocks a release; 1 blocks",
        "this preset is made for eight GPUs", "start with `picochat launch --nproc-per-node 8 -- run tiny ...`");
}

void check_sanity(Sheet& s) {
  const char* rule = "`sanity preh100` passed on this host; a release blocks without";
  const char* remedy = "run `picochat sanity preh100` on the GPU host and see to what fails";
  if (s.device() == "cpu")
    return s.add(kHost, "sanity_passed", CheckStatus::kPass, "cpu", rule, "not needed on the CPU");
  if (!s.facts.sanity) return s.add(kHost, "sanity_passed", s.unknown_of_host(), "no report", rule, "no sanity report of this host was found", remedy);
  const SanityFacts& sanity = *s.facts.sanity;
  // What a CPU or another machine passed says nothing of this GPU; a run planned for another host may name that host's report.
  const bool elsewhere = !sanity.this_host.value_or(true) && !(s.facts.device && s.facts.device->deferred);
  if (sanity.device == "cpu" || elsewhere)
    return s.add(kHost, "sanity_passed", s.unknown_of_host(), "no report", rule, sanity.device == "cpu" ? "the report is about a CPU" : "the report is about another host", remedy);
  const bool passed = sanity.status == "passed";
  s.add(kHost, "sanity_passed", s.quality(!passed, false), sanity.status, rule,
        passed ? cat("passed on ", sanity.device) : sanity.failed_checks.empty() ? std::string("not every check was run") : cat("failed: ", base::join(sanity.failed_checks, ", ")), remedy);
}

void check_memory(Sheet& s) {
  const char* rule = "warn > 90% of the device, block above it (a mere estimate above it warns under research)";
  const ModelConfig config = model_config(s.options, s.budget.vocab_size);
  const auto recorded = s.facts.device ? s.facts.device->predicted_peak_bytes : std::nullopt;
  const int64_t peak = recorded ? *recorded : estimate_memory(s.options, config, s.device()).total();
  const std::string need = cat(base::human_bytes(static_cast<uint64_t>(peak)), recorded ? "" : " (estimate)");
  const char* remedy = "lower --base-batch-size (the sequences per step stay the same), or add --gradient-checkpointing";
  if (!s.facts.device || !s.facts.device->memory_bytes)
    return s.add(kHost, "memory_fit", s.unknown_of_host(), need, rule, "the memory of the device is not known", "run preflight on the host that will train");
  const double share = static_cast<double>(peak) / static_cast<double>(*s.facts.device->memory_bytes);
  // An estimate may be wrong by a part; the trainer's own figure may not.
  const CheckStatus status = share > 1 ? (recorded ? CheckStatus::kBlock : s.quality(true, true)) : s.warn_if(share > 0.9);
  s.add(kHost, "memory_fit", status, cat(need, " of ", base::human_bytes(static_cast<uint64_t>(*s.facts.device->memory_bytes))), rule,
        cat(fixed(100 * share, 0), "% of the device's memory at the peak"), remedy);
}

void check_disk(Sheet& s) {
  const char* rule = "warn > 80% of the free space, block above it";
  const int64_t need = estimate_disk_bytes(s.options, s.budget);
  const std::string text = base::human_bytes(static_cast<uint64_t>(need));
  if (!s.facts.device || !s.facts.device->disk_free_bytes)
    return s.add(kHost, "disk_fit", s.unknown_of_host(), text, rule, "the free space of the host is not known", "run preflight on the host that will train");
  const int64_t free = *s.facts.device->disk_free_bytes;
  s.add(kHost, "disk_fit", need > free ? CheckStatus::kBlock : s.warn_if(static_cast<double>(need) > 0.8 * static_cast<double>(free)),
        cat(text, " of ", base::human_bytes(static_cast<uint64_t>(free)), " free"), rule, "token shards, checkpoints and reports",
        "free some space, or choose an --out-dir on a larger disk");
}

struct Speed {
  double tokens_per_second = 0;
  std::string source;
  bool of_this_host = true;
};

// Measured, else from the data sheet of the device, else of the GPU that the preset is named after.
std::optional<Speed> speed_of(const Sheet& s) {
  if (!s.facts.device) return {};
  const DeviceFacts& device = *s.facts.device;
  if (device.tokens_per_second && *device.tokens_per_second > 0)
    return Speed{*device.tokens_per_second, device.throughput_source.empty() ? "measured" : device.throughput_source};
  auto from_table = [&](const std::string& name, const std::string& source, bool of_this_host) -> std::optional<Speed> {
    const auto peak = peak_flops(name);
    if (!peak) return {};
    return Speed{*peak * kAssumedUtilisation * static_cast<double>(s.budget.ddp_world_size) / s.budget.flops_per_token, source, of_this_host};
  };
  if (const auto speed = from_table(device.name, "table", true)) return speed;
  return device.deferred ? from_table(s.options.scale, "table, for the GPU of the preset's name", false) : std::nullopt;
}

void check_time(Sheet& s) {
  const char* rule = "warn when --base-max-minutes ends before the planned tokens";
  const char* unknown_remedy = "run a dry run of 100 base steps on the host; its speed is used from then on";
  const auto speed = speed_of(s);
  if (!speed) return s.add(kHost, "time_cost", s.unknown_of_host(), "not measured", rule, "the speed of the host is not known", unknown_remedy);
  const double base_seconds = static_cast<double>(s.budget.base_planned_tokens) / speed->tokens_per_second;
  const double sft_tokens = static_cast<double>(s.options.sft_steps * s.budget.sft_effective_batch_size * s.options.context_size);
  const double seconds = base_seconds + sft_tokens / speed->tokens_per_second;
  std::string metric = cat(base::human_seconds(seconds), " at ", grouped(static_cast<int64_t>(speed->tokens_per_second)), " tokens/s (", speed->source, ")");
  if (s.options.gpu_hourly_usd)
    metric += cat(", ", fixed(seconds / 3600 * *s.options.gpu_hourly_usd * static_cast<double>(s.budget.ddp_world_size), 2), " USD");
  const bool cut = s.options.base_max_minutes && *s.options.base_max_minutes * 60 < base_seconds;
  if (!speed->of_this_host && !cut)
    return s.add(kHost, "time_cost", CheckStatus::kDeferredToHost, metric, rule, "an estimate for a host that is not this one", unknown_remedy);
  s.add(kHost, "time_cost", s.warn_if(cut), metric, rule,
        cut ? cat("base training needs ", base::human_seconds(base_seconds), " and is stopped after ", fixed(*s.options.base_max_minutes, 0), " min")
            : "training time, evaluations and checkpoints not counted",
        "raise --base-max-minutes, or plan fewer steps");
}

}  // namespace

void check_runtime(Sheet& s) {
  check_attention(s);
  check_ddp(s);
  check_sanity(s);
  check_memory(s);
  check_disk(s);
  check_time(s);
}

}  // namespace picochat::gate
