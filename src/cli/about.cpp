#include "about.hpp"

#include "bind.hpp"
#include "subcommands.hpp"

namespace picochat::cli {
namespace {

struct InterfaceOptions {
  bool json = false;
};
struct CompletionOptions {
  std::string shell;
};
struct ManOptions {};

const base::OptionTable<InterfaceOptions>& interface_options() {
  static const auto table = [] {
    base::OptionTable<InterfaceOptions> t;
    t.add("json", &InterfaceOptions::json, "print it as JSON");
    return t;
  }();
  return table;
}

const base::OptionTable<CompletionOptions>& completion_options() {
  static const auto table = [] {
    base::OptionTable<CompletionOptions> t;
    t.add("shell", &CompletionOptions::shell, "the shell that is to complete").choose({"bash", "zsh"}).must().place();
    return t;
  }();
  return table;
}

const base::OptionTable<ManOptions>& man_options() {
  static const base::OptionTable<ManOptions> table;
  return table;
}

}  // namespace

std::vector<Command> about_commands() {
  return {
      bind_output({"interface"}, "every command and flag, one a line", interface_options(), [](const InterfaceOptions&) { return describe_interface(commands()); }),
      bind({"completion"}, "a script that completes commands and flags in a shell", completion_options(), [](const CompletionOptions& o, const Invocation&) {
        base::write_result(o.shell == "bash" ? bash_completion(commands()) : zsh_completion(commands()));
        return base::ExitCode::kDone;
      }),
      bind({"man"}, "the manual page, for man(1): picochat man | man -l -", man_options(), [](const ManOptions&, const Invocation&) {
        base::write_result(manual_page(commands()));
        return base::ExitCode::kDone;
      }),
  };
}

}  // namespace picochat::cli
