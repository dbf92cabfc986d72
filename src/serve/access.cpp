#include "serve/access.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>

#include "picochat/base/digest.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/text.hpp"

namespace picochat::serve {
namespace {

using base::cat;

bool is_loopback(const std::string& host) {
  const bool numeric = host.find_first_not_of("0123456789.") == std::string::npos;  // 127.evil.example is a name
  return host == "localhost" || host == "::1" || host == "[::1]" || (numeric && host.starts_with("127."));
}

std::string read_key(const AccessOptions& options) {
  const auto not_empty = [](std::string key, const std::string& where) {
    key = std::string(base::trim(key));
    if (key.empty()) throw base::usage_error({.what = "the key is empty", .where = where});
    return key;
  };
  if (options.api_key) return not_empty(*options.api_key, "--api-key");
  if (options.api_key_file) return not_empty(base::read_file(*options.api_key_file), *options.api_key_file);
  if (options.api_key_env) {
    const char* value = std::getenv(options.api_key_env->c_str());
    return not_empty(value ? value : "", cat("environment variable ", *options.api_key_env));
  }
  const char* value = std::getenv("PICOCHAT_API_KEY");
  return value ? value : "";
}

}  // namespace

std::string host_name(const std::string& host) {
  const auto bracket = host.find(']');
  return base::lower_ascii(host.starts_with('[') && bracket != std::string::npos ? host.substr(0, bracket + 1) : host.substr(0, host.find(':')));
}

Access::Access(const AccessOptions& options) : loopback_(is_loopback(options.host)), hosts_(options.allow_host), origins_(options.allow_origin) {
  const std::string key = read_key(options);
  if (!key.empty()) key_digest_ = base::sha256(key).hex();
  else if (!loopback_)
    throw base::usage_error({.what = "other machines reach this address, and there is no key", .where = cat("--host ", options.host),
                             .remedy = "set PICOCHAT_API_KEY (or --api-key-file FILE) to a secret of yours, or leave --host out"});
  for (auto& host : hosts_) host = base::lower_ascii(host);
  hosts_.push_back(base::lower_ascii(options.host));
}

bool Access::knows_host(const std::string& host) const {
  const std::string name = host_name(host);
  if (is_loopback(name) || std::find(hosts_.begin(), hosts_.end(), name) != hosts_.end()) return true;
  // Off loopback the machine's names are not known here, and the key is what protects; --allow-host narrows it.
  return !loopback_ && hosts_.size() == 1;
}

bool Access::knows_origin(const std::string& origin, const std::string& host) const {
  return origin == "http://" + host || origin == "https://" + host ||
         std::any_of(origins_.begin(), origins_.end(), [&](const std::string& allowed) { return allowed == "*" || allowed == origin; });
}

bool Access::has_right_key(const http::Request& request) const {
  const std::string given = request.header("authorization");
  const std::string key = given.starts_with("Bearer ") ? std::string(base::trim(std::string_view(given).substr(7))) : "";
  const std::string digest = base::sha256(key).hex();
  return CRYPTO_memcmp(digest.data(), key_digest_.data(), key_digest_.size()) == 0;
}

std::optional<http::Refusal> Access::check(http::Exchange& exchange, bool key_needed) const {
  const http::Request& request = exchange.request;
  const std::string host = request.header("host"), origin = request.header("origin");
  if (!host.empty() && !knows_host(host)) return http::Refusal{421, "this server is not known by that name; --allow-host adds one"};
  if (!origin.empty()) {
    if (!knows_origin(origin, host)) return http::Refusal{403, "requests of other sites are not answered; --allow-origin allows one"};
    exchange.headers.push_back({"Access-Control-Allow-Origin", origin});
    exchange.headers.push_back({"Vary", "Origin"});
    if (request.method == "OPTIONS") {
      exchange.headers.push_back({"Access-Control-Allow-Methods", "GET, POST"});
      exchange.headers.push_back({"Access-Control-Allow-Headers", "Authorization, Content-Type"});
      return {};  // a preflight carries no key
    }
  }
  if (key_needed && has_key() && !has_right_key(request)) return http::Refusal{401, "the key is missing or wrong: send Authorization: Bearer KEY"};
  return {};
}

}  // namespace picochat::serve
