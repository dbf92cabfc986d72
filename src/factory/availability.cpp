#include "availability.hpp"

#include <vector>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::factory {

using base::cat;

void refuse_unbuilt(const gate::RunOptions& options, const std::string& command) {
  const std::string& strategy = options.distributed_strategy;
  if (strategy != "ddp" && (options.base_optimizer == "muon" || options.sft_optimizer == "muon"))
    throw base::usage_error({.what = cat("--distributed-strategy ", strategy, " does not go with Muon"), .where = command, .remedy = cat("use AdamW, or --distributed-strategy ddp: Muon needs whole matrices, ", strategy, " cuts them")});
  if (strategy == "fsdp" && options.sft_peft != "none")
    throw base::usage_error({.what = "--distributed-strategy fsdp does not go with LoRA", .where = command, .remedy = "use --distributed-strategy ddp: adapters are merged into whole matrices"});
  if (options.sft_peft != "none") {
    const std::string prefix = command == "run tiny" ? "--sft-" : "--";
    auto refuse_with_lora = [&](const std::string& flag, const std::string& remedy) {
      throw base::usage_error({.what = cat(prefix, flag, " does not go with ", prefix, "peft lora"), .where = command, .remedy = cat(remedy, ", or use ", prefix, "peft none")});
    };
    if (options.sft_lora_dropout > 0) refuse_with_lora("lora-dropout", "leave it at 0: the adapters are computed as part of the weights and have no input of their own to drop");
    if (options.sft_optimizer == "muon") refuse_with_lora("optimizer muon", cat("use ", prefix, "optimizer adamw: an adapter's factors are not matrices to orthogonalise"));
    if (options.sft_ema_decay > 0) refuse_with_lora("ema-decay", "leave it at 0: a mean of products is no product of adapters");
  }
}

void explain_cpu_options(const gate::RunOptions& options, bool precision_was_asked, const std::string& command) {
  const bool reduced = options.precision == "bf16" || options.precision == "fp16";
  if (reduced && precision_was_asked)
    throw base::usage_error({.what = cat("--precision ", options.precision, " needs a CUDA device"), .where = command,
                             .remedy = "use --precision float32 or auto on the CPU, where float32 is also the faster one"});
  std::vector<std::string> idle;
  if (reduced) idle.push_back(cat("precision ", options.precision, " (float32 is used)"));
  if (options.torch_compile) idle.push_back("compile");
  if (options.gradient_checkpointing) idle.push_back("gradient checkpointing");
  if (options.matmul_precision != "default") idle.push_back("matmul precision");
  if (!idle.empty()) base::say(cat("device cpu: not applicable here: ", base::join(idle, ", ")));
}

}  // namespace picochat::factory
