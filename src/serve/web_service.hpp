// The page's files and the JSON behind them.
#pragma once

#include <memory>

#include "picochat/serve/web.hpp"
#include "serve/run_view.hpp"
#include "serve/service.hpp"

namespace picochat::serve {

// The newest checkpoint of each run. One model is in memory at a time: asking for another one loads it, and the one before
// goes when its last text has ended.
class RunModels : public Models {
 public:
  RunModels(RunView& runs, bool chat, int threads) : runs_(runs), chat_(chat), threads_(threads) {}
  std::vector<std::string> names() const override;
  std::shared_ptr<Engine> engine(const std::string& name) override;
  EngineCounters counters() const override;
  void close();

 private:
  RunView& runs_;
  const bool chat_;
  const int threads_;
  mutable std::mutex mutex_;
  base::Path checkpoint_;
  std::shared_ptr<Engine> engine_;
};

class WebService {
 public:
  explicit WebService(const WebOptions& options);
  Service& service() { return *service_; }
  void close() { models_.close(); }

 private:
  std::optional<std::string> page(http::Exchange& exchange);
  std::optional<std::string> data(http::Exchange& exchange);

  RunView runs_;
  RunModels models_;
  std::unique_ptr<Service> service_;
};

}  // namespace picochat::serve
