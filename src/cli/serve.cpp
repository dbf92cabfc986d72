#include "bind.hpp"
#include "picochat/serve/generate.hpp"
#include "picochat/serve/serve.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> serve_commands() {
  return {
      bind({"generate"}, "let a model go on from a text", serve::generate_options(), [](const serve::GenerateOptions& o, const Invocation&) { return serve::run_generate(o); }),
      bind({"chat"}, "talk with a model at the terminal", serve::chat_options(), [](const serve::ChatOptions& o, const Invocation&) { return serve::run_chat(o); }),
      bind({"serve"}, "one model behind an OpenAI-compatible API, for trying it out", serve::serve_options(), [](const serve::ServeOptions& o, const Invocation&) { return serve::run_serve(o); }),
  };
}

}  // namespace picochat::cli
