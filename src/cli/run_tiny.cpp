#include <cstdlib>

#include "picochat/base/console.hpp"
#include "picochat/base/text.hpp"
#include "picochat/factory/run_tiny.hpp"
#include "picochat/train/launch.hpp"
#include "picochat/train/process_group.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

Command run_tiny_command() {
  return {{"run", "tiny"}, "text to a trained, evaluated and judged model; run it again to go on", &gate::run_options().fields(), gate::run_options().to_json(gate::RunOptions{}),
          [](const Invocation& invocation) {
            gate::ResolveContext context;
            if (const auto place = train::rank_place(std::getenv)) context.world_size = place->world_size;
            const auto resolved = gate::resolve_run_options(invocation.flags, context);
            const train::OnExit on_exit(resolved.options.on_exit, "run tiny");
            const auto outcome = factory::run_tiny(base::real_file_system(), resolved, invocation.command);
            if (outcome.status.empty()) return outcome.code;  // another rank than rank 0
            if (resolved.options.json) base::write_result(base::dump(outcome.json) + "\n");
            else base::result(base::cat(resolved.options.preflight_only ? "preflight: " : "release gate: ", outcome.status, "\nreport: ", outcome.report.string()));
            on_exit.ends_with(static_cast<int>(outcome.code));
            return outcome.code;
          }};
}

}  // namespace picochat::cli
