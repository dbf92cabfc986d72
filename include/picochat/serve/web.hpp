// `web`: one page that watches runs, shows their findings and scores, compares them, and talks with their models. Reads
// runs and never writes.
#pragma once

#include "picochat/serve/access_options.hpp"
#include "picochat/serve/generate.hpp"

namespace picochat::serve {

struct WebOptions : ChoiceOptions, AccessOptions {
  WebOptions() { max_new_tokens = 200, port = 8765; }
  std::string runs_dir = "runs";
  bool chat = true, log_requests = false;
};
const base::OptionTable<WebOptions>& web_options();
base::ExitCode run_web(const WebOptions& options);

}  // namespace picochat::serve
