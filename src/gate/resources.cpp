// What a run needs of the machine, from its shape. Upper estimates: the trainer knows its arena
// exactly and its figure replaces these where it was recorded.
#include <algorithm>

#include "picochat/base/text.hpp"
#include "picochat/gate/budget.hpp"

namespace picochat::gate {

MemoryEstimate estimate_memory(const RunOptions& o, const ModelConfig& c, const std::string& device) {
  MemoryEstimate m;
  const int64_t parameters = c.parameter_count();
  const bool half = device == "cuda" && o.precision != "float32";
  const int64_t element = half ? 2 : 4;
  m.parameters_bytes = parameters * (half ? 4 + 2 : 4);  // float32 master, and the copy that computes
  if (o.base_ema_decay > 0) m.parameters_bytes += parameters * 4;
  m.gradients_bytes = parameters * 4;
  m.optimizer_bytes = parameters * 8;  // two moments of AdamW; Muon keeps fewer
  if (o.loss_spike_rollback && device != "cuda") m.optimizer_bytes += parameters * 12;  // the snapshot to go back to; a GPU's lies in the host's memory

  const int64_t tokens = std::max({o.base_batch_size, o.sft_batch_size, o.dpo_input ? 2 * o.dpo_batch_size : 0}) * o.context_size;
  const int64_t fc = c.activation == Activation::kSwiglu ? 2 * c.ffn_dim() : c.ffn_dim();
  // Kept per token and block: block input, its norms, q|k|v, attention output, MLP input and output.
  const int64_t per_block = c.n_embd * (1 + c.norms_per_block()) + 2 * c.qkv_dim() + c.n_embd + fc + c.ffn_dim();
  const int64_t blocks = o.gradient_checkpointing ? 1 : c.n_layer;
  const int64_t kept_inputs = o.gradient_checkpointing ? c.n_layer * c.n_embd : 0;
  const int64_t gradients_of_activations = per_block;  // one block at a time
  m.activations_bytes = tokens * (per_block * blocks + kept_inputs + gradients_of_activations + 4 * c.n_embd) * element;
  // The head works on chunks of rows, logits in float32.
  m.activations_bytes += std::min<int64_t>(tokens, 4096) * c.vocab_size * 4;
  return m;
}

int64_t estimate_disk_bytes(const RunOptions& o, const Budget& b) {
  const int64_t token_bytes = b.vocab_size <= 65536 ? 2 : 4;
  const int64_t shards = b.estimated_corpus_tokens.value_or(0) * token_bytes;
  const int64_t weights = b.estimated_parameters * 4, state = b.estimated_parameters * (o.base_ema_decay > 0 ? 16 : 12);
  // Per stage: selected and last checkpoint, two resume checkpoints while one replaces the other.
  const int64_t per_stage = 2 * weights + 2 * state;
  constexpr int64_t kReports = 256 << 20;
  return shards + (o.dpo_steps > 0 ? 3 : 2) * per_stage + kReports;
}

namespace {

// Dense products, from the makers' datasheets, in TFLOP/s. The first name that occurs in the device's counts.
struct Datasheet {
  const char* name;
  double bf16, tf32, float32;
};
constexpr Datasheet kDatasheets[] = {{"h100 pcie", 756, 378, 51}, {"h100 nvl", 835, 417, 60}, {"h100", 989, 494, 67}, {"h200 nvl", 836, 418, 60}, {"h200", 989, 494, 67},
                                     {"b200", 2250, 1100, 75},    {"a100", 312, 156, 19.5},   {"l40s", 362, 183, 91.6}, {"l4", 121, 60, 30.3}};

}  // namespace

std::optional<double> peak_flops(const std::string& device_name, const std::string& precision, bool tf32) {
  const std::string name = base::lower_ascii(device_name);
  for (const Datasheet& sheet : kDatasheets)
    if (name.find(sheet.name) != std::string::npos) return 1e12 * (precision == "bf16" ? sheet.bf16 : tf32 ? sheet.tf32 : sheet.float32);
  return {};
}

}  // namespace picochat::gate
