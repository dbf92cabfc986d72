// How sure a rate is: the Wilson score interval (Wilson 1927), which stays honest at 0% and 100%.
#pragma once

#include <cstdint>

#include "picochat/base/json.hpp"

namespace picochat::gate {

struct Interval {
  double low = 0, high = 1;
};

// 95% by default; n = 0 gives [0, 1].
Interval wilson_interval(int64_t successes, int64_t n, double z = 1.959963984540054);

// {"low", "high", "confidence": 0.95, "method": "wilson", "n"}; null for n = 0.
base::Json interval_json(int64_t successes, int64_t n);

}  // namespace picochat::gate
