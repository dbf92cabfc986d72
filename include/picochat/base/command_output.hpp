// What the engine of a subcommand gives back: one value for programs, one text for people.
#pragma once

#include <string>

#include "picochat/base/json.hpp"

namespace picochat::base {

struct CommandOutput {
  Json json;         // what --json prints
  std::string text;  // what a person reads, lines ended by "\n"
};

}  // namespace picochat::base
