#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

#include "factory/sanity/check.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/decoder.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/model/device.hpp"
#include "picochat/model/kernel_check.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/model/transformer.hpp"
#include "picochat/train/optimizer.hpp"

namespace picochat::factory::sanity {
namespace {

using base::cat;
using model::Config;
using model::TokenId;

// Of logits, which are below 1 in these models.
double tolerance(const Context& context) { return context.half() ? 2e-2 : 1e-4; }

const model::TransformerOptions kPlain{.reference = true};

model::TransformerOptions ours(const Context& context) {
  auto options = context.compute.options;
  options.graph = false;  // compiled_step compares it
  return options;
}

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

std::vector<float> logits_of(const Config& config, const at::Tensor& parameters, const Rows& rows, const model::TransformerOptions& options) {
  model::Transformer transformer(config, rows.rows, rows.length, false, options);
  std::vector<float> out(static_cast<size_t>(rows.rows * rows.length * config.vocab_size));
  transformer.logits(rows.view(), parameters.to(options.device), out.data());
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
  at::Tensor gradient;  // on the CPU
};

LossAndGradient backward(const Config& config, const at::Tensor& parameters, const Rows& rows, const model::TransformerOptions& options, int micro_steps = 1) {
  const at::Tensor on_device = parameters.to(options.device), gradient = model::allocate_flat(parameters.numel(), options.device);
  const model::StreamScope stream(options.device);
  model::Transformer transformer(config, rows.rows, rows.length, true, options);
  for (int i = 0; i < micro_steps; ++i) transformer.accumulate(rows.view(), on_device, gradient);
  const double loss = transformer.take_loss();
  return {loss, gradient.cpu()};
}

std::string kernels_of(const Context& context) {
  return context.cuda() ? cat(context.compute.name, ", ", context.compute.precision) : std::string(model::instruction_level());
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
  const double difference = largest_difference(logits_of(config, faulty(context, parameters), rows, ours(context)), logits_of(config, parameters, rows, kPlain));
  return passed_if(difference <= tolerance(context), cat("attention kernel (", kernels_of(context), ") against plain attention: logits differ by at most ", scientific(difference), ", allowed ", scientific(tolerance(context))),
                   {{"largest_difference", difference}, {"tolerance", tolerance(context)}, {"backend", context.options.attn_backend}});
}

Finding modern_init_loss(const Context& context) {
  const Config config = modern_config(true);
  const auto parameters = faulty(context, initialized(config));
  const double loss = backward(config, parameters, random_rows(config, 2, 16), ours(context)).loss, expected = std::log(static_cast<double>(config.vocab_size));
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
  const at::Device device = context.compute.options.device;
  const auto before = backward(config, parameters, rows, ours(context));
  const bool gradients_finite = std::isfinite(before.gradient.norm().item<double>());
  const at::Tensor trained = parameters.to(device);
  train::Optimizer optimizer(model::ParameterLayout(config), {}, device);
  optimizer.step({.step = 1, .learning_rate = 1e-3, .weight_decay = 0.01}, trained, before.gradient.to(device));
  const double after = backward(config, trained, rows, ours(context)).loss;
  return passed_if(std::isfinite(before.loss) && gradients_finite && after < before.loss,
                   cat(context.compute.precision, ": one AdamW step takes the loss of its own batch from ", base::fixed(before.loss, 4), " to ", base::fixed(after, 4)),
                   {{"loss_before", std::isfinite(before.loss) ? Json(before.loss) : Json(nullptr)}, {"loss_after", std::isfinite(after) ? Json(after) : Json(nullptr)}});
}

Finding kv_cache_equivalence(const Context& context) {
  const Config config = tiny_config(32, 24);
  const auto parameters = initialized(config);
  Rows rows = random_rows(config, 1, 22);
  model::Decoder decoder(config, faulty(context, parameters).to(context.compute.options.device), 1, config.context_size, ours(context));
  const auto vocab = static_cast<size_t>(config.vocab_size);
  std::vector<float> cached(static_cast<size_t>(rows.length) * vocab);
  for (size_t i = 0; i < static_cast<size_t>(rows.length); ++i) {
    const auto token = static_cast<TokenId>(rows.tokens[i]);
    const model::Decoder::Append item{0, {&token, 1}};
    decoder.append({&item, 1}, cached.data() + i * vocab);
  }
  const bool used = decoder.length(0) == rows.length;
  const double difference = largest_difference(cached, logits_of(config, parameters, rows, ours(context)));
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
    const auto all = logits_of(config, parameters, rows, ours(context));
    without.push_back(likeliest(all.data() + all.size() - vocab));
    rows.tokens.push_back(static_cast<int32_t>(without.back()));
    rows.targets.push_back(0);
    ++rows.length;
  }
  // In bfloat16 two candidates may be closer than the rounding, so there the greedy tokens are told and not judged.
  return passed_if(used && difference <= tolerance(context) && (with_cache == without || context.half()),
                   cat("token by token against the whole text: logits differ by at most ", scientific(difference), ", allowed ", scientific(tolerance(context)), "; two greedy tokens ",
                       with_cache == without ? "are equal" : "differ"),
                   {{"largest_difference", difference}, {"tolerance", tolerance(context)}, {"cached_tokens", decoder.length(0)}});
}

// On a GPU: every kernel by itself, over the widths of the presets and odd ones, in both types.
Finding device_kernels(const Context& context) {
  std::vector<std::string> bad;
  Json worst = Json::object();
  int64_t count = 0;
  for (const auto dtype : {at::kFloat, at::kBFloat16})
    for (const auto& shape : model::kernel_shapes())
      for (const auto& found : model::compare_kernels(context.compute.options.device, dtype, shape)) {
        ++count;
        const std::string name = cat(found.kernel, dtype == at::kFloat ? " float32" : " bf16");
        const double share = found.tolerance > 0 ? found.error / found.tolerance : 0;
        if (!worst.contains(name) || worst.at(name).at("of_tolerance") < share) worst[name] = {{"shape", found.shape}, {"error", found.error}, {"tolerance", found.tolerance}, {"of_tolerance", share}};
        if (!found.good()) bad.push_back(cat(name, " (", found.shape, "): ", scientific(found.error), ", allowed ", scientific(found.tolerance)));
      }
  return passed_if(bad.empty(), bad.empty() ? cat(count, " comparisons of kernels with plain operations in float64, all within their tolerance") : cat(bad.size(), " of ", count, " kernels differ: ", base::join(bad, "; ")), {{"kernels", worst}});
}

Finding kernels_against_reference(const Context& context) {
  double worst_loss = 0, worst_gradient = 0;
  for (bool parallel : {true, false}) {
    const Config config = modern_config(parallel);
    const auto parameters = initialized(config);
    const Rows rows = random_rows(config, 3, 13);
    const auto kernels = backward(config, faulty(context, parameters), rows, ours(context)), plain = backward(config, parameters, rows, kPlain);
    worst_loss = std::max(worst_loss, std::abs(kernels.loss - plain.loss) / std::abs(plain.loss));
    worst_gradient = std::max(worst_gradient, relative_error(kernels.gradient, plain.gradient));
  }
  const double loss_tolerance = context.half() ? 2e-3 : 1e-5, gradient_tolerance = context.half() ? 3e-2 : 1e-4;
  Finding found = passed_if(worst_loss <= loss_tolerance && worst_gradient <= gradient_tolerance,
                            cat("fused kernels (", kernels_of(context), ") against plain operations, both residual forms: loss within ", scientific(worst_loss), ", gradient within ", scientific(worst_gradient), " (relative, allowed ",
                                scientific(loss_tolerance), " and ", scientific(gradient_tolerance), ")"),
                            {{"loss_error", worst_loss}, {"gradient_error", worst_gradient}});
  if (!context.cuda()) return found;
  const Finding each = device_kernels(context);
  if (each.status == "fail") found.status = "fail";
  found.detail = cat(found.detail, "; ", each.detail);
  found.extras.update(each.extras);
  return found;
}

// What --compile means. On the CPU: the fused kernels of this processor instead of plain operations; there is no graph to
// capture. On CUDA: five micro-steps, the last of them replayed from a graph, against five that are launched one by one.
Finding compiled_step(const Context& context) {
  if (!context.options.include_compile) return skipped("not asked for: --include-compile");
  if (!context.cuda()) {
    Finding found = kernels_against_reference(context);
    found.detail = cat("on the CPU there is no graph to capture; ", found.detail);
    return found;
  }
  constexpr int kMicroSteps = 5;
  const Config config = modern_config(true);
  const auto parameters = initialized(config);
  const Rows rows = random_rows(config, 4, 16);
  auto graph = ours(context);
  graph.graph = true;
  const auto captured = backward(config, faulty(context, parameters), rows, graph, kMicroSteps), eager = backward(config, parameters, rows, ours(context), kMicroSteps);
  const double loss = std::abs(captured.loss - eager.loss) / std::abs(eager.loss), gradient = relative_error(captured.gradient, eager.gradient);
  const double allowed = context.half() ? 5e-3 : 1e-5;  // the backward pass of attention adds in no fixed order
  return passed_if(loss <= allowed && gradient <= allowed, cat("micro-steps replayed from a CUDA graph against launched ones: loss within ", scientific(loss), ", gradient within ", scientific(gradient), " (relative, allowed ", scientific(allowed), ")"),
                   {{"loss_error", loss}, {"gradient_error", gradient}});
}

}  // namespace picochat::factory::sanity
