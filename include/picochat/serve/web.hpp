// `web`: one page that watches runs, shows their findings and scores, compares them, and talks with their models. Reads
// runs and never writes.
#pragma once

#include "picochat/serve/generate.hpp"

namespace picochat::serve {

struct WebOptions : ChoiceOptions {
  WebOptions() { max_new_tokens = 200; }
  std::string runs_dir = "runs";
  std::string host = "127.0.0.1";
  int64_t port = 8765;
  std::optional<std::string> api_key, api_key_env, api_key_file;
  std::vector<std::string> allow_host;
  bool chat = true, log_requests = false;
};
const base::OptionTable<WebOptions>& web_options();
base::ExitCode run_web(const WebOptions& options);

}  // namespace picochat::serve
