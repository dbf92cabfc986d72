#include "availability.hpp"

#include <vector>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::factory {

using base::cat;

void refuse_unbuilt(const gate::RunOptions& options, const std::string& command) {
  auto refuse = [&](const std::string& flag, const std::string& remedy) {
    throw base::usage_error({.what = cat(flag, " is not available in this version"), .where = command, .remedy = remedy});
  };
  if (options.dpo_input || options.dpo_steps > 0) refuse("--dpo-input", "leave it out; SFT is the last training stage");
  if (options.sft_peft != "none") {
    const std::string flag = command == "run tiny" ? "--sft-peft" : "--peft";
    refuse(flag + " lora", cat("use ", flag, " none"));
  }
  if (options.ddp && !options.preflight_only) refuse("--ddp", "train on one process; --preflight-only plans a run for 8 GPUs");
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
