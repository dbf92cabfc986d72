#include "subcommands.hpp"

namespace picochat::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> all = [] {
    std::vector<Command> list{run_tiny_command()};
    for (auto group : {data_commands(), tok_commands(), eval_commands(), scale_commands(), evidence_commands(), export_commands(), serve_commands(), train_commands(), demo_commands(), sanity_commands(), launch_commands()}) list.insert(list.end(), group.begin(), group.end());
    return list;
  }();
  return all;
}

}  // namespace picochat::cli
