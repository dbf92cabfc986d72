#include "serve/service.hpp"

#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"

namespace picochat::serve {

using base::cat;

Service::Service(const ServiceOptions& options, Models& models, Routes more, std::set<std::string> open_paths)
    : options_(options), access_(options.access), models_(models), more_(std::move(more)), open_paths_(std::move(open_paths)), api_(models, options.api, metrics_),
      server_(options.access.host, static_cast<int>(options.access.port), options.limits, [this](http::Exchange& exchange) { handle(exchange); },
              [](const http::Refusal& refusal) { return std::pair("application/json", base::dump(error_json({.status = refusal.status, .message = refusal.why}), -1)); }) {
  open_paths_.insert("/healthz");
}

std::string Service::address() const {
  const bool bare_v6 = options_.access.host.find(':') != std::string::npos && !options_.access.host.starts_with("[");
  return cat("http://", bare_v6 ? "[" : "", options_.access.host, bare_v6 ? "]" : "", ":", port());
}

void Service::handle(http::Exchange& exchange) {
  const double started = base::monotonic_seconds();
  exchange.headers = {{"X-Content-Type-Options", "nosniff"}, {"Cache-Control", "no-store"}};
  std::string route = "failed";
  try {
    route = answer(exchange);
  } catch (const ApiError& error) {
    respond_error(exchange, error);
  } catch (const std::exception& error) {
    base::warn(cat("a request failed: ", error.what()));
    if (exchange.status() == 0) respond_error(exchange, {.status = 500, .message = "the request failed; the server's log says why"});
  }
  const double seconds = base::monotonic_seconds() - started;
  metrics_.request(route, exchange.status(), seconds);
  if (options_.log_requests) base::say(cat(exchange.request.method.substr(0, 10), " ", route, " ", exchange.status(), " ", base::fixed(seconds, 3), " s"));
}

std::string Service::answer(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  if (const auto refusal = access_.check(exchange, !open_paths_.contains(request.path))) {
    respond_error(exchange, {.status = refusal->status, .message = refusal->why});
    return "refused";
  }
  if (request.method == "OPTIONS") return exchange.respond(204, "", ""), "preflight";
  const bool health = request.path == "/healthz";
  if (health || request.path == "/metrics") {
    const auto names = models_.names();
    if (request.method != "GET" && request.method != "HEAD") respond_error(exchange, {.status = 405, .message = "use GET"});
    else if (health)
      respond_json(exchange, server_.draining() ? 503 : 200,
                   {{"status", server_.draining() ? "draining" : "ok"}, {"model", names.empty() ? base::Json(nullptr) : base::Json(names.front())}, {"device", "cpu"}});
    else exchange.respond(200, "text/plain; version=0.0.4", metrics_.text(models_.counters(), server_.connections()));
    return request.path;
  }
  if (server_.draining()) return respond_error(exchange, {.status = 503, .message = "the server is shutting down"}), "draining";
  if (api_.handle(exchange)) return request.path.starts_with("/v1/models") ? "/v1/models" : request.path;
  if (more_)
    if (auto route = more_(exchange)) return *route;
  respond_error(exchange, {.status = 404, .message = "there is nothing at this address"});
  return "unknown";
}

void run_service(Service& service, double drain_seconds, const std::function<void()>& stop_taking) {
  service.run([] { return base::pending_signal() != 0; });
  base::clear_pending_signal();  // a second Ctrl-C ends the program at once only while it drains
  base::say("ending after the requests at work");
  stop_taking();
  service.drain(drain_seconds);
}

}  // namespace picochat::serve
