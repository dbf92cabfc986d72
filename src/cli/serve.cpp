#include "bind.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/serve/generate.hpp"
#include "picochat/serve/run_status.hpp"
#include "picochat/serve/serve.hpp"
#include "picochat/serve/web.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> serve_commands() {
  return {
      bind_output({"run", "status"}, "where a run stands: stage, step, loss, time left, cost", serve::run_status_options(),
                  [](const serve::RunStatusOptions& o) { return serve::run_status(o, base::unix_seconds()); }),
      bind({"generate"}, "let a model go on from a text", serve::generate_options(), [](const serve::GenerateOptions& o, const Invocation&) { return serve::run_generate(o); }),
      bind({"chat"}, "talk with a model at the terminal", serve::chat_options(), [](const serve::ChatOptions& o, const Invocation&) { return serve::run_chat(o); }),
      bind({"serve"}, "one model behind an OpenAI-compatible API, for trying it out", serve::serve_options(), [](const serve::ServeOptions& o, const Invocation&) { return serve::run_serve(o); }),
      bind({"web"}, "a page that watches runs, compares them and talks with their models", serve::web_options(), [](const serve::WebOptions& o, const Invocation&) { return serve::run_web(o); }),
  };
}

}  // namespace picochat::cli
