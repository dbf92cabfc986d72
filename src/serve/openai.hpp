// /v1/models, /v1/completions and /v1/chat/completions, as OpenAI's client and lm-evaluation-harness use them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "picochat/serve/engine.hpp"
#include "picochat/serve/generate.hpp"
#include "serve/api_json.hpp"
#include "serve/metrics.hpp"

namespace picochat::serve {

// The models that a server has. Throws ApiError 404 for one that it has not.
class Models {
 public:
  virtual ~Models() = default;
  virtual std::vector<std::string> names() const = 0;
  virtual std::shared_ptr<Engine> engine(const std::string& name) = 0;  // "": the only or first one
  virtual EngineCounters counters() const = 0;
};

struct ApiSettings {
  ChoiceOptions defaults;         // where a request says nothing
  int64_t most_new_tokens = 8192;
  double most_seconds = 120;      // of one text
};

class OpenAiApi {
 public:
  OpenAiApi(Models& models, ApiSettings settings, Metrics& metrics);
  // False when the path is none of the API's. Errors become answers.
  bool handle(http::Exchange& exchange);

 private:
  // The parts that both kinds of completion share.
  struct Common {
    std::string model;
    std::shared_ptr<Engine> engine;
    GenerationRequest request;
    int64_t n = 1;
    bool stream = false, include_usage = false;
  };
  Common read_common(Params& params);
  void models(http::Exchange& exchange);
  void completions(http::Exchange& exchange);
  void chat_completions(http::Exchange& exchange);

  Models& models_;
  const ApiSettings settings_;
  Metrics& metrics_;
};

}  // namespace picochat::serve
