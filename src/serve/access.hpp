// Who may ask: the bearer key, and the Host and Origin headers, which keep pages of other sites from using a server on
// the user's own machine (cross-site requests, DNS rebinding).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/serve/access_options.hpp"
#include "serve/http/server.hpp"

namespace picochat::serve {

class Access {
 public:
  // Reads the key: --api-key, --api-key-file, the variable --api-key-env names, or PICOCHAT_API_KEY. Usage error for an
  // address that other machines reach when there is none.
  explicit Access(const AccessOptions& options);

  // Nothing when the request may go on. Also sets the headers that let an allowed origin read the answer.
  std::optional<http::Refusal> check(http::Exchange& exchange, bool key_needed) const;
  bool has_key() const { return !key_digest_.empty(); }

 private:
  bool knows_host(const std::string& host) const;
  bool knows_origin(const std::string& origin, const std::string& host) const;
  bool has_right_key(const http::Request& request) const;

  std::string key_digest_;  // SHA-256: keys of any length are compared in constant time
  bool loopback_;
  std::vector<std::string> hosts_, origins_;
};

// The name in a Host header, without the port.
std::string host_name(const std::string& host);

}  // namespace picochat::serve
