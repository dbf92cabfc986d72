// How to reach a hub: address, token, caches and patience. All of it comes from the environment
// variables that the Hugging Face tools use, read through an argument so that tests can supply others.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "picochat/base/file_system.hpp"

namespace picochat::hub {

using base::Path;

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

struct Settings {
  std::string endpoint = "https://huggingface.co";  // no slash at the end
  std::string datasets_server;  // converts data sets to Parquet; derived from the endpoint unless given
  std::string token;            // empty: anonymous
  std::string token_origin;     // "HF_TOKEN", or the path of the file: for messages
  Path cache;                   // where other tools keep files of hubs
  bool offline = false;         // no request at all
  double connect_seconds = 10;
  double stall_seconds = 10;    // without a byte: the transfer is given up and resumed
  double retry_seconds = 1;     // before the first retry; doubled up to 30 seconds
  int retries = 8;              // in a row without progress
};

struct SettingOverrides {
  std::optional<std::string> endpoint, token_variable;
};

// HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT,
// HF_HUB_ETAG_TIMEOUT, HF_HUB_DISABLE_IMPLICIT_TOKEN; PICOCHAT_DATASETS_SERVER, PICOCHAT_HUB_RETRY_SECONDS.
// Usage error for a value that cannot be used and for a token variable that is not set.
Settings settings_from(const Environment& environment, const SettingOverrides& overrides = {});

}  // namespace picochat::hub
