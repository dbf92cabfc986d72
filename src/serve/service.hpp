// A server with its rules: who may ask, the API, health and metrics, and the routes that a command adds.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "serve/access.hpp"
#include "serve/http/server.hpp"
#include "serve/openai.hpp"

namespace picochat::serve {

struct ServiceOptions {
  AccessOptions access;
  ApiSettings api;
  http::Limits limits;
  bool log_requests = false;
};

class Service {
 public:
  // Answers a request whose path it knows, and returns its route for the log: a word of the program, not of the client.
  using Routes = std::function<std::optional<std::string>(http::Exchange&)>;

  // Listens at once. `open_paths` need no key.
  Service(const ServiceOptions& options, Models& models, Routes more = {}, std::set<std::string> open_paths = {});

  void run(const std::function<bool()>& stop) { server_.run(stop); }
  void drain(double seconds) { server_.drain(seconds); }
  int port() const { return server_.port(); }
  bool has_key() const { return access_.has_key(); }
  std::string address() const;  // "http://127.0.0.1:8000"

 private:
  void handle(http::Exchange& exchange);
  std::string answer(http::Exchange& exchange);

  const ServiceOptions options_;
  const Access access_;
  Models& models_;
  const Routes more_;
  std::set<std::string> open_paths_;
  Metrics metrics_;
  OpenAiApi api_;
  http::Server server_;  // last: its threads use the others
};

// Runs until SIGINT or SIGTERM, then drains.
void run_service(Service& service, double drain_seconds, const std::function<void()>& stop_taking);

}  // namespace picochat::serve
