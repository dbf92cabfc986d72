#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "factory/sanity/check.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/decoder.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/model/transformer.hpp"
#include "picochat/train/optimizer.hpp"

namespace picochat::factory::sanity {
namespace {

using base::cat;
using model::Config;
using model::TokenId;

// Comparisons run in float32 on the CPU, whatever --precision asks of a GPU.
constexpr double kTolerance = 1e-4;

// What the presets train, in small.
Config modern_config(bool parallel) {
  Config c;
  c.vocab_size = 2048;
  c.context_size = 16;
  c.n_embd = 128;
  c.n_head = 8;
  c.n_kv_head = 2;
  c.n_layer = 2;
  c.norm_type = model::NormType::kRmsNorm;
  c.position_encoding = model::PositionEncoding::kRope;
  c.activation = model::Activation::kSwiglu;
  c.tie_embeddings = c.qk_norm = c.scaled_residual_init = true;
  c.parallel_residual = parallel;
  c.linear_bias = false;
  return c;
}

at::Tensor initialized(const Config& config, uint64_t seed = 123) {
  auto flat = model::allocate_flat(model::ParameterLayout(config).size());
  model::initialize(config, seed, flat);
  return flat;
}

at::Tensor faulty(const Context& context, const at::Tensor& parameters) {
  at::Tensor copy = model::allocate_flat(parameters.numel());
  copy.copy_(parameters);
  context.fault(copy);
  return copy;
}

struct Rows {
  int64_t rows, length;
  std::vector<int32_t> tokens, targets;
  model::Batch view() const { return {.rows = rows, .length = length, .tokens = tokens.data(), .targets = targets.data(), .uniform_weight = 1.0f / static_cast<float>(rows * length)}; }
};

Rows random_rows(const Config& config, int64_t rows, int64_t length, uint64_t seed = 7) {
  Rows out{rows, length, {}, {}};
  base::Random random(seed, "sanity tokens");
  for (int64_t i = 0; i < rows * length; ++i) {
    out.tokens.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(config.vocab_size))));
    out.targets.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(config.vocab_size))));
  }
  return out;
}

std::vector<float> logits_of(const Config& config, const at::Tensor& parameters, const Rows& rows, bool reference) {
  model::Transformer transformer(config, rows.rows, rows.length, false, {.reference = reference});
  std::vector<float> out(static_cast<size_t>(rows.rows * rows.length * config.vocab_size));
  transformer.logits(rows.view(), parameters, out.data());
  return out;
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (!(difference <= worst)) worst = difference;  // NaN is the worst
  }
  return worst;
}

std::string scientific(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", value);
  return text;
}

struct LossAndGradient {
  double loss;
  at::Tensor gradient;
};

LossAndGradient backward(const Config& config, const at::Tensor& parameters, const Rows& rows, bool reference) {
  LossAndGradient out{0, model::allocate_flat(parameters.numel())};
  model::Transformer transformer(config, rows.rows, rows.length, true, {.reference = reference});
  out.loss = transformer.forward_backward(rows.view(), parameters, out.gradient);
  return out;
}

double relative_error(const at::Tensor& a, const at::Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

}  // namespace

model::Config tiny_config(int64_t vocab_size, int64_t context_size) {
  Config c;
  c.vocab_size = vocab_size;
  c.context_size = context_size;
  c.n_embd = 32;
  c.n_head = c.n_kv_head = 4;
  c.n_layer = 2;
  c.norm_type = model::NormType::kRmsNorm;
  c.position_encoding = model::PositionEncoding::kRope;
  c.activation = model::Activation::kRelu2;
  c.logit_softcap = 30;
  return c;
}

Finding attention_backend(const Context& context) {
  const Config config = tiny_config(32, 16);
  const auto parameters = initialized(config);
  const Rows rows = random_rows(config, 1, 8);
  const double difference = largest_difference(logits_of(config, faulty(context, parameters), rows, false), logits_of(config, parameters, rows, true));
  return passed_if(difference <= kTolerance, cat("attention kernel (", model::instruction_level(), ") against plain attention: logits differ by at most ", scientific(difference), ", allowed ", scientific(kTolerance)),
                   {{"largest_difference", difference}, {"tolerance", kTolerance}, {"backend", context.options.attn_backend}});
}

Finding modern_init_loss(const Context& context) {
  const Config config = modern_config(true);
  const auto parameters = faulty(context, initialized(config));
  const double loss = backward(config, parameters, random_rows(config, 2, 16), false).loss, expected = std::log(static_cast<double>(config.vocab_size));
  const model::ParameterLayout layout(config);
  const double deviation = layout.view(parameters, layout.at("token_embedding.weight")).std().item<double>();
  const bool good = std::isfinite(loss) && std::abs(loss - expected) <= 2 && deviation <= 2 * config.initializer_range;
  return passed_if(good, cat("loss of a fresh model ", base::fixed(loss, 4), ", of uniform guessing ", base::fixed(expected, 4), "; deviation of the embedding ", base::fixed(deviation, 4)),
                   {{"loss", std::isfinite(loss) ? Json(loss) : Json(nullptr)}, {"uniform_loss", expected}, {"embedding_std", std::isfinite(deviation) ? Json(deviation) : Json(nullptr)}});
}

Finding precision_backward(const Context& context) {
  const Config config = modern_config(true);
  const auto parameters = faulty(context, initialized(config));
  const Rows rows = random_rows(config, 2, 16);
  auto before = backward(config, parameters, rows, false);
  const bool gradients_finite = std::isfinite(before.gradient.norm().item<double>());
  train::Optimizer optimizer(model::ParameterLayout(config), {});
  optimizer.step({.step = 1, .learning_rate = 1e-3, .weight_decay = 0.01}, parameters, before.gradient);
  const double after = backward(config, parameters, rows, false).loss;
  return passed_if(std::isfinite(before.loss) && gradients_finite && after < before.loss,
                   cat("float32: one AdamW step takes the loss of its own batch from ", base::fixed(before.loss, 4), " to ", base::fixed(after, 4)),
                   {{"loss_before", std::isfinite(before.loss) ? Json(before.loss) : Json(nullptr)}, {"loss_after", std::isfinite(after) ? Json(after) : Json(nullptr)}});
}

Finding kv_cache_equivalence(const Context& context) {
  const Config config = tiny_config(32, 24);
  const auto parameters = initialized(config);
  Rows rows = random_rows(config, 1, 22);
  model::Decoder decoder(config, faulty(context, parameters), 1, config.context_size);
  const auto vocab = static_cast<size_t>(config.vocab_size);
  std::vector<float> cached(static_cast<size_t>(rows.length) * vocab);
  for (size_t i = 0; i < static_cast<size_t>(rows.length); ++i) {
    const auto token = static_cast<TokenId>(rows.tokens[i]);
    const model::Decoder::Append item{0, {&token, 1}};
    decoder.append({&item, 1}, cached.data() + i * vocab);
  }
  const bool used = decoder.length(0) == rows.length;
  const double difference = largest_difference(cached, logits_of(config, parameters, rows, false));
  // Two more tokens, greedily, both ways.
  auto likeliest = [&](const float* logits) { return static_cast<TokenId>(std::max_element(logits, logits + vocab) - logits); };
  std::vector<TokenId> with_cache, without;
  TokenId next = likeliest(cached.data() + cached.size() - vocab);
  std::vector<float> last(vocab);
  for (int i = 0; i < 2; ++i) {
    with_cache.push_back(next);
    const model::Decoder::Append item{0, {&next, 1}};
    decoder.append({&item, 1}, last.data());
    next = likeliest(last.data());
    const auto all = logits_of(config, parameters, rows, false);
    without.push_back(likeliest(all.data() + all.size() - vocab));
    rows.tokens.push_back(static_cast<int32_t>(without.back()));
    rows.targets.push_back(0);
    ++rows.length;
  }
  return passed_if(used && difference <= kTolerance && with_cache == without,
                   cat("token by token against the whole text: logits differ by at most ", scientific(difference), ", allowed ", scientific(kTolerance), "; two greedy tokens ",
                       with_cache == without ? "are equal" : "differ"),
                   {{"largest_difference", difference}, {"tolerance", kTolerance}, {"cached_tokens", decoder.length(0)}});
}

Finding kernels_against_reference(const Context& context) {
  double worst_loss = 0, worst_gradient = 0;
  for (bool parallel : {true, false}) {
    const Config config = modern_config(parallel);
    const auto parameters = initialized(config);
    const Rows rows = random_rows(config, 3, 13);
    const auto ours = backward(config, faulty(context, parameters), rows, false), plain = backward(config, parameters, rows, true);
    worst_loss = std::max(worst_loss, std::abs(ours.loss - plain.loss) / std::abs(plain.loss));
    worst_gradient = std::max(worst_gradient, relative_error(ours.gradient, plain.gradient));
  }
  return passed_if(worst_loss <= 1e-5 && worst_gradient <= 1e-4,
                   cat("fused kernels (", model::instruction_level(), ") against plain operations, both residual forms: loss within ", scientific(worst_loss), ", gradient within ", scientific(worst_gradient),
                       " (relative, allowed 1e-5 and 1e-4)"),
                   {{"loss_error", worst_loss}, {"gradient_error", worst_gradient}});
}

// What --compile means on the CPU: the fused kernels of this processor instead of plain operations. There is no graph to capture.
Finding compiled_step(const Context& context) {
  if (!context.options.include_compile) return skipped("not asked for: --include-compile");
  Finding found = kernels_against_reference(context);
  found.detail = cat("on the CPU there is no graph to capture; ", found.detail);
  return found;
}

}  // namespace picochat::factory::sanity
