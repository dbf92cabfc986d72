// `serve`: one model behind the API that OpenAI's clients speak. For trying a model out, not for the public.
#pragma once

#include "picochat/serve/access_options.hpp"
#include "picochat/serve/generate.hpp"

namespace picochat::serve {

struct ServeOptions : ChoiceOptions, AccessOptions {
  ServeOptions() { max_new_tokens = 256, port = 8000; }
  std::string model_name = "picochat";
  int64_t batch_rows = 32, queue_limit = 256, max_tokens_limit = 8192, max_body_kb = 4096, max_connections = 256;
  double max_seconds = 120, drain_seconds = 10;
  bool kv_cache = true, log_requests = false;
};
const base::OptionTable<ServeOptions>& serve_options();
// Until SIGINT or SIGTERM; then takes no more requests, lets those at work end, and returns 0.
base::ExitCode run_serve(const ServeOptions& options);

}  // namespace picochat::serve
