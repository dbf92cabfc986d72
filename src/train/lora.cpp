#include "picochat/train/lora.hpp"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/safetensors.hpp"
#include "picochat/base/text.hpp"

namespace picochat::train {
namespace {

using base::cat;

constexpr int64_t kAlignment = 16;  // floats in 64 bytes

int64_t aligned(int64_t count) { return (count + kAlignment - 1) / kAlignment * kAlignment; }

bool is_target(const std::string& name, const std::vector<std::string>& targets) {
  static const std::vector<std::pair<std::string, std::string>> kNames{
      {"attn_qkv", ".attn.qkv.weight"}, {"attn_proj", ".attn.proj.weight"}, {"mlp_fc", ".mlp.fc.weight"}, {"mlp_proj", ".mlp.proj.weight"}};
  return std::any_of(kNames.begin(), kNames.end(), [&](const auto& known) {
    const bool asked = std::any_of(targets.begin(), targets.end(), [&](const std::string& target) { return target == "all_linear" || target == known.first; });
    return asked && name.ends_with(known.second);
  });
}

std::string module_of(const Lora::Pair& pair) { return pair.matrix.name.substr(0, pair.matrix.name.size() - std::string(".weight").size()); }

}  // namespace

Lora::Lora(const model::Config& config, const LoraOptions& options, at::Tensor frozen) : options_(options), frozen_(std::move(frozen)), layout_(config) {
  for (const auto& entry : layout_.entries()) {
    if (!entry.hidden_matrix || !is_target(entry.name, options_.targets)) continue;
    Pair pair{entry, size_, 0};
    size_ += aligned(options_.rank * entry.shape[1]);
    pair.b = size_;
    size_ += aligned(entry.shape[0] * options_.rank);
    pairs_.push_back(std::move(pair));
  }
  base::require(!pairs_.empty(), "adapters have a matrix to adapt");
}

at::Tensor Lora::a(const at::Tensor& adapters, const Pair& pair) const {
  return adapters.narrow(0, pair.a, options_.rank * pair.matrix.shape[1]).view({options_.rank, pair.matrix.shape[1]});
}

at::Tensor Lora::b(const at::Tensor& adapters, const Pair& pair) const {
  return adapters.narrow(0, pair.b, pair.matrix.shape[0] * options_.rank).view({pair.matrix.shape[0], options_.rank});
}

void Lora::initialize(uint64_t seed, const at::Tensor& adapters) const {
  const at::Tensor initial = model::allocate_flat(size_);
  float* values = initial.data_ptr<float>();
  for (const Pair& pair : pairs_) {
    base::Random random(seed, cat(module_of(pair), ".lora_a"));
    const double bound = 1 / std::sqrt(static_cast<double>(pair.matrix.shape[1]));
    for (int64_t i = 0; i < options_.rank * pair.matrix.shape[1]; ++i) values[pair.a + i] = static_cast<float>(bound * (2 * random.uniform() - 1));
  }
  adapters.copy_(initial);
}

void Lora::merge(const at::Tensor& adapters, const at::Tensor& merged) const {
  const double scale = options_.alpha / static_cast<double>(options_.rank);
  for (const Pair& pair : pairs_) {
    at::Tensor matrix = layout_.view(merged, pair.matrix);
    at::addmm_out(matrix, layout_.view(frozen_, pair.matrix), b(adapters, pair), a(adapters, pair), 1, scale);
  }
}

void Lora::project(const at::Tensor& adapters, const at::Tensor& gradients, const at::Tensor& adapter_gradients) const {
  const double scale = options_.alpha / static_cast<double>(options_.rank);
  for (const Pair& pair : pairs_) {
    const at::Tensor slope = layout_.view(gradients, pair.matrix);
    at::Tensor da = a(adapter_gradients, pair), db = b(adapter_gradients, pair);
    at::addmm_out(da, da, b(adapters, pair).t(), slope, 0, scale);
    at::addmm_out(db, db, slope, a(adapters, pair).t(), 0, scale);
  }
}

base::Json Lora::description() const {
  int64_t count = 0;
  std::vector<std::string> modules;
  for (const Pair& pair : pairs_) {
    count += options_.rank * (pair.matrix.shape[0] + pair.matrix.shape[1]);
    modules.push_back(module_of(pair));
  }
  return {{"peft", "lora"}, {"rank", options_.rank}, {"alpha", options_.alpha}, {"targets", options_.targets}, {"modules", modules}, {"trainable_parameters", count}};
}

void Lora::write(base::FileSystem& files, const base::Path& folder, const at::Tensor& trained) const {
  const at::Tensor adapters = trained.cpu();
  std::vector<base::TensorView> tensors;
  auto add = [&](const std::string& name, const at::Tensor& values) {
    tensors.push_back({.name = name, .dtype = "F32", .shape = values.sizes().vec(), .bytes = {static_cast<const char*>(values.data_ptr()), values.nbytes()}});
  };
  for (const Pair& pair : pairs_) {
    add(module_of(pair) + ".lora_a", a(adapters, pair));
    add(module_of(pair) + ".lora_b", b(adapters, pair));
  }
  base::write_safetensors(files, folder / kAdapterTensors, tensors, {{"format", "pt"}});
  base::write_file(files, folder / kAdapterConfig, base::dump({{"format", "picochat-lora"}, {"peft_type", "lora"}, {"config", description()}}) + "\n");
}

}  // namespace picochat::train
