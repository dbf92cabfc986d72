// Binds a room's option table and function to a command.
#pragma once

#include "picochat/base/console.hpp"
#include "picochat/cli/command.hpp"

namespace picochat::cli {

// run: ExitCode(const S&, const Invocation&). The table outlives the command.
template <typename S, typename Run>
Command bind(std::vector<std::string> words, std::string summary, const base::OptionTable<S>& table, Run run) {
  return {std::move(words), std::move(summary), &table.fields(), table.to_json(S{}), [&table, run](const Invocation& invocation) {
            S options;
            table.merge(options, invocation.flags, "command line");
            return run(options, invocation);
          }};
}

// For engines that return {json, text}: prints one of them on stdout. With `gates`, a "blocked"
// status in the JSON is exit code 3.
template <typename S, typename Engine>
Command bind_output(std::vector<std::string> words, std::string summary, const base::OptionTable<S>& table, Engine engine, bool gates = false) {
  return bind(std::move(words), std::move(summary), table, [engine, gates](const S& options, const Invocation&) {
    const auto output = engine(options);
    if (output.json.is_null() && output.text.empty()) return base::ExitCode::kDone;  // a rank that is not rank 0
    bool json = false;
    if constexpr (requires { options.json; }) json = options.json;
    base::write_result(json ? base::dump(output.json) + "\n" : output.text);
    const bool blocked = gates && output.json.contains("status") && output.json.at("status") == "blocked";
    return blocked ? base::ExitCode::kBlocked : base::ExitCode::kDone;
  });
}

}  // namespace picochat::cli
