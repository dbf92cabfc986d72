#include "bind.hpp"
#include "picochat/gate/scale_plan.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> scale_commands() {
  return {bind_output({"scale", "plan"}, "a model shape for a number of parameters, with budget, memory, time and command", gate::scale_plan_options(),
                      [](const gate::ScalePlanOptions& o) { return gate::scale_plan(base::real_file_system(), o); })};
}

}  // namespace picochat::cli
