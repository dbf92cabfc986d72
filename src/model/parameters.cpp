#include "picochat/model/parameters.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/threads.hpp"

namespace picochat::model {

using base::cat;

namespace {

constexpr int64_t kAlignment = 16;                // floats in 64 bytes
constexpr int64_t kInitBlock = int64_t{1} << 16;  // even: a pair of normals comes from one random block

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

ParameterLayout::ParameterLayout(const Config& c) {
  c.validate("model config");
  std::vector<Entry> rest;
  auto matrix = [&](std::string name, int64_t rows, int64_t columns) {
    const bool hidden = name.starts_with("blocks.");
    entries_.push_back({std::move(name), {rows, columns}, 0, rows * columns, true, hidden});
  };
  auto vector = [&](std::string name, int64_t count) {
    rest.push_back({std::move(name), {count}, 0, count, false, false});
  };
  auto norm = [&](const std::string& name) {
    vector(name + ".weight", c.n_embd);
    if (c.norm_type == NormType::kLayerNorm) vector(name + ".bias", c.n_embd);
  };
  const int64_t ffn = c.ffn_dim(), fc_rows = c.activation == Activation::kSwiglu ? 2 * ffn : ffn;

  matrix("token_embedding.weight", c.vocab_size, c.n_embd);
  if (c.position_encoding == PositionEncoding::kLearned) matrix("position_embedding.weight", c.context_size, c.n_embd);
  for (int64_t layer = 0; layer < c.n_layer; ++layer) {
    const std::string block = cat("blocks.", layer, ".");
    norm(block + "ln_1");
    if (!c.parallel_residual) norm(block + "ln_2");
    matrix(block + "attn.qkv.weight", c.qkv_dim(), c.n_embd);
    if (c.linear_bias) vector(block + "attn.qkv.bias", c.qkv_dim());
    if (c.qk_norm) {
      vector(block + "attn.q_norm.weight", c.head_dim());
      vector(block + "attn.k_norm.weight", c.head_dim());
    }
    matrix(block + "attn.proj.weight", c.n_embd, c.n_embd);
    if (c.linear_bias) vector(block + "attn.proj.bias", c.n_embd);
    matrix(block + "mlp.fc.weight", fc_rows, c.n_embd);
    if (c.linear_bias) vector(block + "mlp.fc.bias", fc_rows);
    matrix(block + "mlp.proj.weight", c.n_embd, ffn);
    if (c.linear_bias) vector(block + "mlp.proj.bias", c.n_embd);
  }
  norm("ln_f");
  if (!c.tie_embeddings) {
    matrix("lm_head.weight", c.vocab_size, c.n_embd);
    if (c.linear_bias) vector("lm_head.bias", c.vocab_size);
  }

  auto place = [&](Entry& entry) {
    entry.offset = size_;
    size_ += (entry.count + kAlignment - 1) / kAlignment * kAlignment;
  };
  for (Entry& entry : entries_) place(entry);
  decay_size_ = size_;
  for (Entry& entry : rest) place(entry);
  entries_.insert(entries_.end(), rest.begin(), rest.end());
}

const ParameterLayout::Entry* ParameterLayout::find(std::string_view name) const {
  auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

const ParameterLayout::Entry& ParameterLayout::at(std::string_view name) const {
  const Entry* entry = find(name);
  if (!entry) throw base::internal_error(cat("no parameter is called ", name));
  return *entry;
}

at::Tensor ParameterLayout::view(const at::Tensor& flat, const Entry& entry) const {
  base::require(flat.dim() == 1 && flat.numel() >= entry.offset + entry.count, "a flat buffer holds the parameter");
  return flat.narrow(0, entry.offset, entry.count).view(entry.shape);
}

at::Tensor allocate_flat(int64_t count, at::Device device) {
  if (!device.is_cpu()) return at::zeros({count}, at::TensorOptions().device(device).dtype(at::kFloat));
  constexpr size_t kHugePage = size_t{2} << 20;
  const size_t bytes = std::max<size_t>(64, static_cast<size_t>(count) * sizeof(float));
  const bool large = bytes >= kHugePage;
  const size_t size = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  if (!large) {
    void* memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!memory) throw base::environment_error({.what = "not enough memory", .expected = cat(bytes, " bytes")});
    std::fill_n(static_cast<float*>(memory), count, 0.0f);
    return at::from_blob(
        memory, {count}, [](void* p) { std::free(p); }, at::kFloat);
  }
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw base::environment_error({.what = "not enough memory",
                                   .expected = cat(size, " bytes"),
                                   .remedy = "use a smaller model, batch or context"});
  madvise(memory, size, MADV_HUGEPAGE);  // a wish: page faults otherwise cost a quarter of the speed of large products
  return at::from_blob(
      memory, {count}, [size](void* p) { munmap(p, size); }, at::kFloat);
}

void initialize(const Config& config, uint64_t seed, const at::Tensor& flat) {
  const ParameterLayout layout(config);
  base::require(
      flat.is_cpu() && flat.scalar_type() == at::kFloat && flat.is_contiguous() && flat.numel() == layout.size(),
      "initialize() fills a flat float32 buffer on the CPU");
  float* values = flat.data_ptr<float>();
  std::fill_n(values, layout.size(), 0.0f);
  struct Task {
    const ParameterLayout::Entry* entry;
    int64_t begin;
    double deviation;
  };
  std::vector<Task> tasks;
  for (const auto& entry : layout.entries()) {
    if (entry.shape.size() == 1) {
      if (ends_with(entry.name, ".weight")) std::fill_n(values + entry.offset, entry.count, 1.0f);
      continue;
    }
    double deviation = config.initializer_range;
    if (config.scaled_residual_init && ends_with(entry.name, ".proj.weight"))
      deviation /= std::sqrt(2.0 * static_cast<double>(config.n_layer));
    for (int64_t begin = 0; begin < entry.count; begin += kInitBlock) tasks.push_back({&entry, begin, deviation});
  }
  base::parallel_for(tasks.size(), [&](size_t index) {
    const Task& task = tasks[index];
    base::Random random(seed, task.entry->name, static_cast<uint64_t>(task.begin) / 2);
    float* to = values + task.entry->offset + task.begin;
    const int64_t count = std::min(kInitBlock, task.entry->count - task.begin);
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(task.deviation * random.normal());
  });
}

}  // namespace picochat::model
