#include "bind.hpp"
#include "picochat/factory/demo.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> demo_commands() {
  auto& files = base::real_file_system();
  return {
      bind({"demo"}, "what a newcomer types first: a whole small run, then its page and a chat with the model", factory::demo_options(),
           [&files](const factory::DemoOptions& o, const Invocation& invocation) { return factory::run_demo(files, o, invocation.command); }),
      bind_output({"paths"}, "three ways to use this program", factory::paths_options(), factory::paths_command),
  };
}

}  // namespace picochat::cli
