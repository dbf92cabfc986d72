// What /metrics tells, in the text form that Prometheus reads.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <string>

#include "picochat/serve/engine.hpp"

namespace picochat::serve {

class Metrics {
 public:
  void request(const std::string& route, int status, double seconds);
  void answer(const Generation& generation);  // a generation that ended
  std::string text(const EngineCounters& engine, int connections) const;

 private:
  static constexpr std::array<double, 12> kBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60};
  struct Histogram {
    std::array<int64_t, kBounds.size() + 1> counts{};
    double sum = 0;
    int64_t total = 0;
    void add(double seconds);
    std::string text(const std::string& name, const std::string& help) const;
  };
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, int64_t> requests_;
  Histogram request_seconds_, first_token_seconds_;
};

}  // namespace picochat::serve
