// Which shapes come near a number of parameters and suit a GPU: tiles of its matrix units are 64 and
// 128 wide, so widths are multiples of 128 and heads 64 or 128 wide.
#include <algorithm>
#include <cmath>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/scale_plan.hpp"

namespace picochat::gate {
namespace {

using base::cat;

constexpr int64_t kWidthStep = 128, kWidest = 16384;
constexpr int64_t kWideHeadsFrom = 1536;  // heads of 128 from here on, so that there are not too many
constexpr int64_t kFewestLayers = 2, kMostLayers = 200;
constexpr double kFarthestAspect = 2.5;   // times or parts of the wished ratio
constexpr double kFarthestMiss = 0.25;

ModelConfig shape(const ScalePlanOptions& o, int64_t width, int64_t head_dim, int64_t layers) {
  ModelConfig c;
  c.vocab_size = o.vocab_size;
  c.context_size = o.context_size;
  c.n_embd = width;
  c.n_head = width / head_dim;
  c.n_kv_head = sensible_kv_heads(c.n_head);
  c.n_layer = layers;
  c.norm_type = NormType::kRmsNorm;
  c.position_encoding = PositionEncoding::kRope;
  c.activation = Activation::kSwiglu;
  c.tie_embeddings = c.qk_norm = c.parallel_residual = c.scaled_residual_init = true;
  c.linear_bias = false;
  return c;
}

// Layers whose parameters come nearest to the target, and their neighbours.
std::vector<int64_t> depths(const ScalePlanOptions& o, int64_t width, int64_t head_dim, double target) {
  if (o.depth) return {*o.depth};
  const double one = static_cast<double>(shape(o, width, head_dim, 1).parameter_count());
  const double per_layer = static_cast<double>(shape(o, width, head_dim, 2).parameter_count()) - one;
  const int64_t nearest = 1 + std::llround((target - one) / per_layer);
  std::vector<int64_t> out;
  for (int64_t layers = nearest - 1; layers <= nearest + 1; ++layers)
    if (layers >= kFewestLayers && layers <= kMostLayers) out.push_back(layers);
  return out;
}

}  // namespace

int64_t sensible_kv_heads(int64_t n_head) {
  int64_t best = n_head;
  double best_cost = 1e9;
  for (int64_t kv = 1; kv <= n_head; ++kv) {
    if (n_head % kv) continue;
    const int64_t group = n_head / kv;
    if (group > 8) continue;
    // Groups of about four; an odd or single number of key/value heads divides badly over devices.
    const double cost = std::abs(std::log2(static_cast<double>(group) / 4)) + (kv % 2 ? 0.6 : 0) + (kv == 1 ? 0.5 : 0);
    if (cost < best_cost) best = kv, best_cost = cost;
  }
  return best;
}

std::vector<ScaleShape> scale_shapes(const ScalePlanOptions& o) {
  const double target = static_cast<double>(parse_count(o.target_params, "--target-params"));
  struct Scored {
    ScaleShape shape;
    double cost;
  };
  std::vector<Scored> all;
  for (int64_t width = kWidthStep; width <= kWidest; width += kWidthStep) {
    const int64_t head_dim = o.head_dim.value_or(width >= kWideHeadsFrom ? 128 : 64);
    for (const int64_t layers : depths(o, width, head_dim, target)) {
      const ModelConfig c = shape(o, width, head_dim, layers);
      const double miss = static_cast<double>(c.parameter_count()) / target - 1;
      const double aspect = static_cast<double>(width) / static_cast<double>(layers) / o.aspect_ratio;
      if (std::abs(miss) > kFarthestMiss) continue;
      if (!o.depth && (aspect > kFarthestAspect || aspect < 1 / kFarthestAspect)) continue;
      // A miss of 10% weighs as much as an aspect ratio off by about a third.
      all.push_back({{c, miss}, 4 * std::abs(miss) + std::abs(std::log2(aspect)) + (c.n_head % 4 ? 0.15 : 0)});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Scored& a, const Scored& b) { return a.cost < b.cost; });
  std::vector<ScaleShape> out;
  for (auto& scored : all) out.push_back(scored.shape);
  return out;
}

int64_t parse_count(const std::string& text, const std::string& flag) {
  auto refuse = [&] {
    return base::usage_error({.what = "not a number of things", .where = flag, .expected = "digits with an optional k, m, b or t: 100m, 1.1b, 125000000", .found = text});
  };
  std::string digits = base::lower_ascii(base::replace_all(base::replace_all(std::string(base::trim(text)), "_", ""), ",", ""));
  double unit = 1;
  if (!digits.empty())
    for (const auto& [letter, value] : {std::pair{'k', 1e3}, {'m', 1e6}, {'b', 1e9}, {'g', 1e9}, {'t', 1e12}})
      if (digits.back() == letter) {
        unit = value;
        digits.pop_back();
        break;
      }
  if (digits.empty() || digits.find_first_not_of("0123456789.") != std::string::npos || std::count(digits.begin(), digits.end(), '.') > 1 || digits == ".") throw refuse();
  const double value = std::stod(digits) * unit;
  if (value < 1 || value > 1e18) throw refuse();
  return std::llround(value);
}

}  // namespace picochat::gate
