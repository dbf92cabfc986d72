// What the program tells about itself, made from the commands' option tables and nothing else.
#pragma once

#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/cli/command.hpp"

namespace picochat::cli {

// Every command with its flags, kinds, choices, bounds and defaults. As text it is one flag a line,
// which is what tests/acceptance/interface.txt freezes.
base::CommandOutput describe_interface(const std::vector<Command>& commands);

// A script that the shell sources: words of commands, flags, and the choices of a flag's value.
std::string bash_completion(const std::vector<Command>& commands);
std::string zsh_completion(const std::vector<Command>& commands);

// The manual page, troff with the man macros.
std::string manual_page(const std::vector<Command>& commands);

}  // namespace picochat::cli
