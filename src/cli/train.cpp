#include "bind.hpp"
#include "picochat/factory/train_commands.hpp"
#include "picochat/train/launch.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> train_commands() {
  auto& files = base::real_file_system();
  return {
      bind_output({"train", "base"}, "train a model on text", factory::train_base_options(),
                  [&files](const factory::TrainBaseOptions& o) {
                    const train::OnExit on_exit(o.on_exit, "train base");
                    const auto output = factory::train_base_command(files, o);
                    on_exit.ends_with(0);
                    return output;
                  }),
      bind_output({"train", "sft"}, "fine-tune a checkpoint on conversations", factory::train_sft_options(),
                  [&files](const factory::TrainSftOptions& o) {
                    const train::OnExit on_exit(o.on_exit, "train sft");
                    const auto output = factory::train_sft_command(files, o);
                    on_exit.ends_with(0);
                    return output;
                  }),
      bind_output({"train", "dpo"}, "teach a checkpoint which of two replies is preferred", factory::train_dpo_options(),
                  [&files](const factory::TrainDpoOptions& o) {
                    const train::OnExit on_exit(o.on_exit, "train dpo");
                    const auto output = factory::train_dpo_command(files, o);
                    on_exit.ends_with(0);
                    return output;
                  }),
      bind_output({"train", "sft-sweep"}, "fine-tune over a grid of learning rates, steps and samplings", factory::sft_sweep_options(),
                  [&files](const factory::SftSweepOptions& o) { return factory::sft_sweep_command(files, o); }),
      bind_output({"train", "lr-range"}, "how high the learning rate may be", factory::lr_range_options(),
                  [&files](const factory::LrRangeOptions& o) { return factory::lr_range_command(files, o); }),
      bind_output({"batch", "inspect"}, "what a training step is fed", factory::batch_inspect_options(),
                  [&files](const factory::BatchInspectOptions& o) { return factory::batch_inspect_command(files, o); }),
  };
}

}  // namespace picochat::cli
