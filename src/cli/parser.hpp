// The only place that knows CLI11.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/cli/command.hpp"

namespace picochat::cli {

struct Parsed {
  const Command* command = nullptr;  // null: only text was asked for
  base::Json flags = base::Json::object();
  std::string text;                  // help or version, for stdout
};

// Usage error for unknown words and flags (with the nearest known one), missing and bad values.
Parsed parse(const std::vector<Command>& commands, int argc, const char* const* argv);

}  // namespace picochat::cli
