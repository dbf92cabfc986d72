// One HTTP exchange over libcurl: a request, the answer's head, its body handed on as it arrives.
// Connections are kept and reused; any number of threads may exchange at once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/hub/client.hpp"

namespace picochat::hub {

struct Head {
  long status = 0;
  Headers headers;
  std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

// Gets the body piece by piece; false ends the transfer (which is then no failure).
using BodySink = std::function<bool(const Head&, std::string_view)>;

struct Exchange {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  double connect_seconds = 10, stall_seconds = 10;
  std::string method = "GET";
  std::optional<RequestBody> body;   // sent with its length, never in chunks: storage hosts refuse those
  double answer_seconds = 0;         // after the body is sent: how long the first byte of the answer may take
};

struct Outcome {
  Head head;
  bool stopped = false;  // by the sink
  std::string failure;   // why no complete answer came; empty when one did
};

class Transport {
 public:
  Transport();
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Redirects are not followed. Throws Interrupted when a signal is pending.
  Outcome exchange(const Exchange& request, const BodySink& sink);

 private:
  class Lease;
  std::mutex mutex_;
  std::vector<void*> idle_;  // easy handles with their connections
};

}  // namespace picochat::hub
