// Where a server listens and who may ask: the options that `serve` and `web` share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/options.hpp"

namespace picochat::serve {

struct AccessOptions {
  std::string host = "127.0.0.1";
  int64_t port = 0;
  std::optional<std::string> api_key, api_key_env, api_key_file;
  std::vector<std::string> allow_origin, allow_host;
};

// Adds all but allow_origin to the table of a command whose options derive from them; `use` ends the help of the key's file. The
// key's own field comes last and is returned.
template <typename S>
base::OptionField& add_access_options(base::OptionTable<S>& table, const std::string& use) {
  table.add("host", &AccessOptions::host, "address to listen on").metavar = "ADDRESS";
  table.add("port", &AccessOptions::port, "port; 0: any free one").at_least(0).at_most(65535);
  table.add("allow_host", &AccessOptions::allow_host, "further name of this server; repeatable").in("Access").metavar = "NAME";
  table.add("api_key_file", &AccessOptions::api_key_file, "file with the key that " + use).in("Access").metavar = "FILE";
  table.add("api_key_env", &AccessOptions::api_key_env, "environment variable with the key; PICOCHAT_API_KEY is read without this").in("Access").metavar = "NAME";
  auto& key = table.add("api_key", &AccessOptions::api_key, "the key itself: other users of the machine see it in the list of processes").in("Access");
  key.metavar = "KEY";
  return key;
}

}  // namespace picochat::serve
