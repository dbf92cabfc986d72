// A subcommand: its words, its option table, and what it does. The parser, the help, the frozen list
// of flags and shell completion all come from this list.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/options.hpp"

namespace picochat::cli {

struct Invocation {
  base::Json flags;      // field name -> value, only what the user gave
  std::string command;   // the command line, quoted for a shell
};

struct Command {
  std::vector<std::string> words;   // {"run", "tiny"}
  std::string summary;
  const std::vector<base::OptionField>* fields;
  base::Json defaults;              // of the option struct, for help
  std::function<base::ExitCode(const Invocation&)> run;

  std::string name() const { return base_name(words); }

 private:
  static std::string base_name(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
  }
};

// All subcommands, in the order in which help lists them.
const std::vector<Command>& commands();

// What a group of commands is for: "data" -> "look at, check and generate data"; "" for a word that is none.
std::string group_summary(const std::string& word);

// Every spelling of a field: "--json" and "--no-json", then those of its aliases.
std::vector<std::string> flag_names(const base::OptionField& field);

// The whole program: parses, runs, reports errors; returns the exit code.
int run_program(int argc, const char* const* argv);

}  // namespace picochat::cli
