#include "picochat/serve/web.hpp"

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "serve/web_service.hpp"

namespace picochat::embedded {
const std::vector<std::pair<std::string, std::string>>& page();
}

namespace picochat::serve {
namespace {

using base::cat;

const char* type_of(const std::string& name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  return name.ends_with(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8";
}

std::set<std::string> page_paths() {
  std::set<std::string> paths{"/", "/favicon.ico"};
  for (const auto& [name, text] : embedded::page()) paths.insert("/" + name);
  return paths;
}

}  // namespace

std::vector<std::string> RunModels::names() const {
  std::vector<std::string> names;
  if (!chat_) return names;
  for (const auto& name : runs_.names())
    if (newest_model(runs_.path_of(name))) names.push_back(name);
  return names;
}

std::shared_ptr<Engine> RunModels::engine(const std::string& name) {
  const auto known = names();
  if (known.empty()) throw ApiError{.status = 404, .message = chat_ ? "no run has a checkpoint yet" : "chat is switched off", .param = "model", .code = "model_not_found"};
  const std::string wanted = name.empty() ? known.front() : name;
  if (std::find(known.begin(), known.end(), wanted) == known.end()) throw ApiError{.status = 404, .message = "no run of that name has a checkpoint", .param = "model", .code = "model_not_found"};
  const auto files = newest_model(runs_.path_of(wanted));
  if (!files) throw ApiError{.status = 404, .message = "the run's checkpoint has just gone", .param = "model", .code = "model_not_found"};
  std::lock_guard lock(mutex_);
  if (engine_ && checkpoint_ == files->checkpoint) return engine_;
  engine_ = std::make_shared<Engine>(eval::load_language_model(files->checkpoint, files->tokenizer), EngineOptions{.rows = 4, .queue_limit = 32, .threads = threads_});
  checkpoint_ = files->checkpoint;
  return engine_;
}

EngineCounters RunModels::counters() const {
  std::lock_guard lock(mutex_);
  return engine_ ? engine_->counters() : EngineCounters{};
}

void RunModels::close() {
  std::lock_guard lock(mutex_);
  if (engine_) engine_->close();
}

WebService::WebService(const WebOptions& o) : runs_(o.runs_dir), models_(runs_, o.chat, static_cast<int>(o.threads)) {
  const ServiceOptions settings{.access = o, .api = {o, 4096, 300}, .limits = {.body_bytes = 1 << 20},
                                .log_requests = o.log_requests};
  service_ = std::make_unique<Service>(
      settings, models_, [this](http::Exchange& exchange) { return exchange.request.path.starts_with("/api/") ? data(exchange) : page(exchange); }, page_paths());
}

// The files hold nothing of the user's: they are given without the key, and the page asks for it.
std::optional<std::string> WebService::page(http::Exchange& exchange) {
  const std::string& path = exchange.request.path;
  if (path == "/favicon.ico") return exchange.respond(204, "", ""), "/favicon.ico";
  const std::string wanted = path == "/" ? "index.html" : path.substr(1);
  for (const auto& [name, text] : embedded::page()) {
    if (name != wanted) continue;
    exchange.headers.push_back({"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"});
    exchange.headers.push_back({"Referrer-Policy", "no-referrer"});
    exchange.respond(200, type_of(name), text);
    return "page";
  }
  return {};
}

std::optional<std::string> WebService::data(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  if (request.method != "GET") return respond_error(exchange, {.status = 405, .message = "runs are read only: use GET"}), "/api";
  auto query = [&](const char* key) {
    const auto found = request.query.find(key);
    return found == request.query.end() ? std::string() : found->second;
  };
  base::Json answer;
  if (request.path == "/api/runs") answer = runs_.list();
  else if (request.path == "/api/run") answer = runs_.run(query("name"));
  else if (request.path == "/api/curves") answer = runs_.curves(query("name"));
  else if (request.path == "/api/failing") answer = runs_.failing(query("name"), query("report"), query("category"));
  else return {};
  if (answer.is_null()) respond_error(exchange, {.status = 404, .message = "no such run or report"});
  else respond_json(exchange, 200, answer);
  return request.path;
}

const base::OptionTable<WebOptions>& web_options() {
  static const auto table = [] {
    using O = WebOptions;
    base::OptionTable<O> t;
    t.add("runs_dir", &O::runs_dir, "folder of runs, or one run").metavar = "DIR";
    add_access_options(t, "the page asks for").alias("--auth-token");
    t.add("chat", &O::chat, "let the page talk with the runs' models");
    t.add("threads", &O::threads, "compute threads of the chat; 0: one per core").at_least(0);
    t.add("log_requests", &O::log_requests, "a line on stderr for every request");
    return t;
  }();
  return table;
}

base::ExitCode run_web(const WebOptions& options) {
  WebService web(options);
  base::say(cat("the page is at ", web.service().address(), "/", web.service().has_key() ? " (it asks for the key)" : ""));
  base::say(cat("runs: ", options.runs_dir, ". Ctrl-C ends it."));
  run_service(web.service(), 5, [&] { web.close(); });
  return base::ExitCode::kDone;
}

}  // namespace picochat::serve
