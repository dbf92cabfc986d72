// `scale plan`: a shape for a number of parameters that suits the hardware, with its budget, memory,
// time and a command that can be run. The result is a preset like any other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"
#include "picochat/gate/budget.hpp"

namespace picochat::gate {

struct ScalePlanOptions {
  std::string target_params;                  // "100m", "1.1b", "125000000"
  std::optional<std::string> dataset_tokens;  // "2.5b": what the corpus holds
  std::optional<int64_t> depth;               // layers; else chosen
  double aspect_ratio = 48;                   // wished width / layers
  std::optional<int64_t> head_dim;            // 64 or 128; else by width
  int64_t vocab_size = 8192;
  int64_t context_size = 512;
  int64_t world_size = 1;
  int64_t per_device_batch_size = 8;
  int64_t grad_accum_steps = 16;
  double target_param_data_ratio = 20;
  std::string attn_backend = "flash";
  std::string long_run_gate_profile = "skill_release";
  std::string gpu = "h100";
  std::optional<double> gpu_hourly_usd;
  std::optional<std::string> name, out, dataset_pack;
  bool force = false;
  bool json = false;
};
const base::OptionTable<ScalePlanOptions>& scale_plan_options();

// A shape that a target may be met with.
struct ScaleShape {
  ModelConfig config;
  double miss = 0;  // parameters / target - 1
};

// Widths are multiples of 128, heads 64 or 128 wide, two to eight query heads share keys and values.
// Best first: nearness to the target, then to the wished aspect ratio. Empty when nothing comes
// within a quarter of the target.
std::vector<ScaleShape> scale_shapes(const ScalePlanOptions& options);

// Query heads per key/value head that keep the cache small and the groups even: 12 -> 4, 16 -> 4, 4 -> 2.
int64_t sensible_kv_heads(int64_t n_head);

// The learning rate that this project's presets would give a model of this size (effective, at its
// batch): a power law through 15.5M, 107M and 1.12B parameters.
double preset_learning_rate(double parameters);

// Writes the preset and its explanation when `out` names a file.
base::CommandOutput scale_plan(base::FileSystem& files, const ScalePlanOptions& options);

// "100m", "1.1B", "2_000_000", "125000000". Usage error naming the flag.
int64_t parse_count(const std::string& text, const std::string& flag);

struct Gpu {
  const char* name;
  const char* label;
  double memory_gib;  // what the driver reports as total
};
std::span<const Gpu> known_gpus();

}  // namespace picochat::gate
