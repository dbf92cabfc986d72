#include "exporter/compare.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/model/transformer.hpp"

namespace picochat::exporter {
namespace {

using base::cat;

constexpr int64_t kTokens = 48;
constexpr int64_t kWholeModelBytes = int64_t{2} << 30;

at::Tensor our_logits(const gate::ModelConfig& config, const at::Tensor& parameters, const std::vector<int32_t>& tokens) {
  const auto length = static_cast<int64_t>(tokens.size());
  model::Transformer transformer(config, 1, length, false);
  at::Tensor out = at::empty({length, config.vocab_size}, at::kFloat);
  transformer.logits({.rows = 1, .length = length, .tokens = tokens.data()}, parameters, out.data_ptr<float>());
  return out;
}

void fill(const CheckpointSource& source, at::ScalarType dtype, const std::string& name, const model::ParameterLayout& layout,
          const model::ParameterLayout::Entry& entry, const at::Tensor& flat) {
  const at::Tensor from = at::from_blob(const_cast<float*>(source.data(name)), entry.shape, at::kFloat);
  at::Tensor to = layout.view(flat, entry);
  if (dtype == at::kFloat) to.copy_(from);
  else to.copy_(from.to(dtype));
}

// "blocks.0.x" of a model made of `layers` is "blocks.7.x" of the checkpoint when layers[0] is 7.
std::string source_name(const std::string& name, const std::vector<int64_t>& layers) {
  if (!name.starts_with("blocks.")) return name;
  const size_t dot = name.find('.', 7);
  return cat("blocks.", layers.at(static_cast<size_t>(std::stoll(name.substr(7, dot - 7)))), name.substr(dot));
}

// Throws when the two differ; returns by how much they do.
double difference(const at::Tensor& theirs, const at::Tensor& ours, const std::string& what) {
  if (!at::isfinite(ours).all().item<bool>())
    throw base::bad_input({.what = cat("the model's logits are not finite: ", what), .where = "the checkpoint", .remedy = "its training diverged; choose an earlier checkpoint"});
  const double scale = std::max(1.0, ours.abs().max().item<double>());
  const double largest = (theirs - ours).abs().max().item<double>() / scale;
  if (largest <= kLogitTolerance) return largest;
  throw base::Error(base::ExitCode::kInternal,
                    {.what = cat("the exported files do not give the checkpoint's logits: ", what), .expected = cat("differences up to ", kLogitTolerance),
                     .found = cat(largest), .remedy = "nothing was written; check the disk and memory, then report this as a defect with the checkpoint's config.json"});
}

}  // namespace

base::Json Comparison::to_json() const {
  return {{"blocks", blocks}, {"tokens", tokens}, {"whole_model", whole_model}, {"tolerance", kLogitTolerance}, {"largest_difference", largest_difference}};
}

std::vector<int32_t> comparison_tokens(const gate::ModelConfig& config) {
  base::Random random(1, "export comparison");
  std::vector<int32_t> tokens(static_cast<size_t>(std::min(kTokens, config.context_size)));
  for (auto& token : tokens) token = static_cast<int32_t>(random.below(static_cast<uint64_t>(config.vocab_size)));
  return tokens;
}

gate::ModelConfig with_layers(gate::ModelConfig config, int64_t layers) {
  config.n_layer = layers;
  config.dropout = 0;
  return config;
}

at::Tensor rounded_parameters(const CheckpointSource& source, at::ScalarType dtype, const std::vector<int64_t>& layers) {
  const model::ParameterLayout layout(with_layers(source.config(), static_cast<int64_t>(layers.size())));
  at::Tensor flat = model::allocate_flat(layout.size());
  for (const auto& entry : layout.entries()) fill(source, dtype, source_name(entry.name, layers), layout, entry, flat);
  return flat;
}

Comparison compare_with_checkpoint(const ExportedModel& exported, const CheckpointSource& source, at::ScalarType dtype) {
  c10::NoGradGuard no_autograd;
  const auto& config = source.config();
  const auto tokens = comparison_tokens(config);
  Comparison result{.tokens = static_cast<int64_t>(tokens.size())};
  const auto one = with_layers(config, 1);
  const model::ParameterLayout layout(one);
  at::Tensor flat = rounded_parameters(source, dtype, {0});
  base::Progress progress("comparing blocks", static_cast<uint64_t>(config.n_layer), "blocks");
  for (int64_t layer = 0; layer < config.n_layer; ++layer) {
    base::throw_if_interrupted();
    if (layer > 0)
      for (const auto& entry : layout.entries())
        if (entry.name.starts_with("blocks.")) fill(source, dtype, source_name(entry.name, {layer}), layout, entry, flat);
    const std::vector<int64_t> only{layer};
    result.largest_difference = std::max(
        result.largest_difference, difference(exported.logits(tokens, only), our_logits(one, flat, tokens), cat("block ", layer)));
    progress.update(static_cast<uint64_t>(++result.blocks));
  }
  flat = at::Tensor();
  if (config.parameter_count() * 4 <= kWholeModelBytes) {
    std::vector<int64_t> all(static_cast<size_t>(config.n_layer));
    std::iota(all.begin(), all.end(), int64_t{0});
    const at::Tensor ours = our_logits(with_layers(config, config.n_layer), rounded_parameters(source, dtype, all), tokens);
    result.largest_difference = std::max(result.largest_difference, difference(exported.logits(tokens), ours, "the whole model"));
    result.whole_model = true;
  }
  return result;
}

}  // namespace picochat::exporter
