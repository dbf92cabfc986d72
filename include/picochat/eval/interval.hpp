// Confidence intervals of proportions. Wilson's score interval: instant, and honest at 0% and 100%,
// where a percentile bootstrap has zero width (Wilson, JASA 22, 1927; Brown, Cai, DasGupta 2001).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "picochat/base/json.hpp"

namespace picochat::eval {

struct Interval {
  double low, high;
};

// z with P(Z <= z) = p for a standard normal Z; 0 < p < 1. Relative error below 1e-12.
double normal_quantile(double p);

// Empty when n is 0: a proportion of nothing is not measured.
std::optional<Interval> wilson_interval(int64_t hits, int64_t n, double confidence = 0.95);

// {"low","high","confidence","method":"wilson","n"}, or null when n is 0.
base::Json interval_json(int64_t hits, int64_t n, double confidence = 0.95);

// hits / n, or null when n is 0.
base::Json rate_json(int64_t hits, int64_t n);

// "62.0% [48.2, 74.1] (31/50)", or "not measured" when n is 0.
std::string rate_text(int64_t hits, int64_t n, double confidence = 0.95);

}  // namespace picochat::eval
