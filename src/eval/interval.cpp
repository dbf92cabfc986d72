#include "picochat/eval/interval.hpp"

#include <cmath>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/interval.hpp"

namespace picochat::eval {

// Start: Acklam's rational approximation (relative error 1.2e-9); then one Halley step on erfc.
double normal_quantile(double p) {
  base::require(p > 0 && p < 1, "normal_quantile: p in (0, 1)");
  constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02,
                          1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
                          -1.328068155288572e+01};
  constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                          -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00};
  constexpr double kTail = 0.02425;
  auto tail = [&](double q) {
    return (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]) /
           ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
  };
  double x;
  if (p < kTail) {
    x = tail(std::sqrt(-2 * std::log(p)));
  } else if (p > 1 - kTail) {
    x = -tail(std::sqrt(-2 * std::log1p(-p)));
  } else {
    double q = p - 0.5, r = q * q;
    x = (((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]) * q /
        (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
  }
  double error = 0.5 * std::erfc(-x / std::sqrt(2.0)) - p;
  double u = error * std::sqrt(2 * M_PI) * std::exp(x * x / 2);
  return x - u / (1 + x * u / 2);
}

std::optional<Interval> wilson_interval(int64_t hits, int64_t n, double confidence) {
  if (n <= 0) return std::nullopt;
  base::require(hits >= 0 && hits <= n, "wilson_interval: hits within n");
  const auto interval = gate::wilson_interval(hits, n, normal_quantile(0.5 + confidence / 2));
  return Interval{interval.low, interval.high};
}

base::Json interval_json(int64_t hits, int64_t n, double confidence) {
  auto interval = wilson_interval(hits, n, confidence);
  if (!interval) return nullptr;
  return {{"low", interval->low}, {"high", interval->high}, {"confidence", confidence}, {"method", "wilson"}, {"n", n}};
}

base::Json rate_json(int64_t hits, int64_t n) {
  if (n <= 0) return nullptr;
  return static_cast<double>(hits) / static_cast<double>(n);
}

std::string rate_text(int64_t hits, int64_t n, double confidence) {
  auto interval = wilson_interval(hits, n, confidence);
  if (!interval) return "not measured";
  auto percent = [](double value) { return base::fixed(100 * value, 1); };
  return base::cat(percent(static_cast<double>(hits) / static_cast<double>(n)), "% [", percent(interval->low), ", ",
                   percent(interval->high), "] (", hits, "/", n, ")");
}

}  // namespace picochat::eval
