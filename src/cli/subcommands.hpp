// One function per subcommand file.
#pragma once

#include "picochat/cli/command.hpp"

namespace picochat::cli {

Command run_tiny_command();
std::vector<Command> data_commands();
std::vector<Command> tok_commands();
std::vector<Command> eval_commands();
std::vector<Command> evidence_commands();
std::vector<Command> scale_commands();
std::vector<Command> export_commands();
std::vector<Command> serve_commands();
std::vector<Command> train_commands();
std::vector<Command> demo_commands();
std::vector<Command> sanity_commands();
std::vector<Command> launch_commands();
std::vector<Command> about_commands();

}  // namespace picochat::cli
