#include "bind.hpp"
#include "picochat/train/launch.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> launch_commands() {
  return {bind({"launch"}, "run a command on several ranks, and watch over them", train::launch_options(), [](const train::LaunchOptions& o, const Invocation&) {
    return static_cast<base::ExitCode>(train::launch(base::real_file_system(), o));
  })};
}

}  // namespace picochat::cli
