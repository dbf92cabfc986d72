#include "picochat/serve/serve.hpp"

#include "picochat/base/console.hpp"
#include "picochat/base/text.hpp"
#include "serve/service.hpp"

namespace picochat::serve {
namespace {

using base::cat;

class OneModel : public Models {
 public:
  OneModel(std::string name, std::shared_ptr<Engine> engine) : name_(std::move(name)), engine_(std::move(engine)) {}
  std::vector<std::string> names() const override { return {name_}; }
  std::shared_ptr<Engine> engine(const std::string& name) override {
    if (!name.empty() && name != name_)
      throw ApiError{.status = 404, .message = cat("no model of that name; this server has ", name_), .param = "model", .code = "model_not_found"};
    return engine_;
  }
  EngineCounters counters() const override { return engine_->counters(); }

 private:
  const std::string name_;
  const std::shared_ptr<Engine> engine_;
};

ServiceOptions service_options(const ServeOptions& o) {
  return {.access = o,
          .api = {o, o.max_tokens_limit, o.max_seconds},
          .limits = {.body_bytes = static_cast<size_t>(o.max_body_kb) << 10, .connections = static_cast<int>(o.max_connections)},
          .log_requests = o.log_requests};
}

}  // namespace

const base::OptionTable<ServeOptions>& serve_options() {
  static const auto table = [] {
    using O = ServeOptions;
    base::OptionTable<O> t;
    add_access_options(t, "clients must send");
    t.add("model_name", &O::model_name, "the model's name in the API");
    t.add("allow_origin", &O::allow_origin, "site whose pages may use the server; repeatable").in("Access").metavar = "ORIGIN";
    t.add("batch_rows", &O::batch_rows, "texts generated together").at_least(1).at_most(1024).in("Limits");
    t.add("queue_limit", &O::queue_limit, "texts that may wait; more are answered 429").at_least(0).in("Limits");
    t.add("max_tokens_limit", &O::max_tokens_limit, "most new tokens a request may ask for").at_least(1).in("Limits");
    t.add("max_body_kb", &O::max_body_kb, "largest request").at_least(1).at_most(1 << 20).in("Limits");
    t.add("max_connections", &O::max_connections, "open connections; more are answered 503").at_least(1).at_most(10'000).in("Limits");
    t.add("max_seconds", &O::max_seconds, "longest a text may take; 0: no limit").at_least(0).in("Limits");
    t.add("drain_seconds", &O::drain_seconds, "on Ctrl-C, time for requests at work to end").at_least(0).in("Limits");
    t.add("kv_cache", &O::kv_cache, "keep keys and values of past tokens").in("Model");
    t.add("log_requests", &O::log_requests, "a line on stderr for every request");
    add_choice_options(t);
    return t;
  }();
  return table;
}

base::ExitCode run_serve(const ServeOptions& options) {
  const ServiceOptions settings = service_options(options);
  Access{settings.access};  // a missing key is said before a model is read
  auto model = load_model(options);
  const auto engine = std::make_shared<Engine>(std::move(model), EngineOptions{.rows = options.batch_rows, .queue_limit = options.queue_limit, .kv_cache = options.kv_cache,
                                                                               .draft_tokens = options.draft_tokens, .threads = static_cast<int>(options.threads)});
  OneModel models(options.model_name, engine);
  Service service(settings, models);
  base::say(cat("serving ", options.model_name, " at ", service.address(), "/v1 (", service.has_key() ? "key required" : "no key: this machine only", "; ", options.batch_rows,
                " texts together, key-value cache of ", base::human_bytes(static_cast<uint64_t>(engine->cache_bytes())), ")"));
  base::say("Ctrl-C ends it.");
  run_service(service, options.drain_seconds, [&] { engine->close(); });
  const EngineCounters counters = engine->counters();
  base::say(cat("served ", counters.finished, " texts, ", counters.generated_tokens, " tokens"));
  return base::ExitCode::kDone;
}

}  // namespace picochat::serve
