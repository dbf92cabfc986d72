// The texts of one request on their way to its client, whole or as server-sent events. A client that goes away cancels
// its texts.
#pragma once

#include <memory>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/serve/engine.hpp"
#include "serve/api_json.hpp"
#include "serve/metrics.hpp"

namespace picochat::serve {

class Answers {
 public:
  Answers(http::Exchange& exchange, Metrics& metrics) : exchange_(exchange), metrics_(metrics) {}
  ~Answers();  // cancels what is not finished

  // Throws ApiError when the engine takes no more.
  void submit(Engine& engine, GenerationRequest request);
  const std::vector<std::shared_ptr<Generation>>& all() const { return all_; }

  // Waits for every text. False when the client has gone; ApiError when a text failed.
  bool wait();
  // Sends events while the texts come: piece(index, text) for each piece, last(index) at each end. False when the client
  // has gone. Ends with `closing` (when not null) and [DONE].
  bool stream(const base::Json& opening, const std::function<base::Json(size_t, const std::string&)>& piece, const std::function<base::Json(size_t)>& last,
              const std::function<base::Json()>& closing);

  int64_t completion_tokens() const;
  int64_t reused_tokens() const;

 private:
  bool send(const base::Json& event);
  static void throw_if_failed(const Generation& generation);

  http::Exchange& exchange_;
  Metrics& metrics_;
  std::vector<std::shared_ptr<Generation>> all_;
};

}  // namespace picochat::serve
