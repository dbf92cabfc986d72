#include "picochat/gate/interval.hpp"

#include <algorithm>
#include <cmath>

namespace picochat::gate {

Interval wilson_interval(int64_t successes, int64_t n, double z) {
  if (n <= 0) return {0, 1};
  const double count = static_cast<double>(n), p = static_cast<double>(successes) / count, z2 = z * z;
  const double centre = (p + z2 / (2 * count)) / (1 + z2 / count);
  const double half = z / (1 + z2 / count) * std::sqrt(p * (1 - p) / count + z2 / (4 * count * count));
  // At 0 and n successes the bound is exactly 0 or 1; rounding must not say otherwise.
  return {successes == 0 ? 0 : std::max(0.0, centre - half), successes == n ? 1 : std::min(1.0, centre + half)};
}

base::Json interval_json(int64_t successes, int64_t n) {
  if (n <= 0) return nullptr;
  const Interval interval = wilson_interval(successes, n);
  return {{"low", interval.low}, {"high", interval.high}, {"confidence", 0.95}, {"method", "wilson"}, {"n", n}};
}

}  // namespace picochat::gate
