#include "model/head.hpp"

#include <algorithm>

#include <ATen/ATen.h>

namespace picochat::model {

namespace {

// Rows [first, first + count) of `active` as a matrix: a view where they are neighbours, else a packed copy.
class ActiveChunk {
 public:
  ActiveChunk(ops::Ops& ops, const std::vector<int64_t>& active, int64_t first, int64_t count)
      : ops_(ops),
        rows_(active.data() + first, static_cast<size_t>(count)),
        adjacent_(rows_.back() - rows_.front() == count - 1) {}

  at::Tensor read(const at::Tensor& matrix, const at::Tensor& packed) const {
    if (adjacent_) return view(matrix);
    at::Tensor part = packed.narrow(0, 0, size());
    ops_.gather_rows(matrix, rows_, part);
    return part;
  }
  at::Tensor target(const at::Tensor& matrix, const at::Tensor& packed) const {
    return adjacent_ ? view(matrix) : packed.narrow(0, 0, size());
  }
  void write_back(const at::Tensor& part, const at::Tensor& matrix) const {
    if (!adjacent_) ops_.scatter_rows(part, rows_, matrix);
  }
  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  int64_t row(int64_t i) const { return rows_[static_cast<size_t>(i)]; }

 private:
  at::Tensor view(const at::Tensor& matrix) const { return matrix.narrow(0, rows_.front(), size()); }

  ops::Ops& ops_;
  std::span<const int64_t> rows_;
  bool adjacent_;
};

}  // namespace

// On the CPU about 16 MB of logits, which stay in a shared cache between the products that read them; on a device 256 MB.
int64_t head_chunk_rows(const Config& config, bool on_device) {
  if (on_device) return std::clamp<int64_t>((int64_t{1} << 27) / config.vocab_size / 128 * 128, 128, 16384);
  constexpr int64_t kElements = int64_t{4} << 20;
  return std::clamp<int64_t>(kElements / config.vocab_size / 64 * 64, 64, 1024);
}

HeadBuffers take_head_buffers(const Config& config, Arena& arena, int64_t tokens, bool training, bool on_device) {
  const int64_t chunk = std::min(head_chunk_rows(config, on_device), (tokens + 1) / 2 * 2);
  HeadBuffers b;
  b.normed = arena.take(tokens, config.n_embd);
  if (config.norm_type == NormType::kLayerNorm) b.statistics.mean = arena.take_statistics(tokens);
  b.statistics.rstd = arena.take_statistics(tokens);
  b.logits = arena.take(chunk, config.vocab_size);
  b.rows = arena.take(chunk, config.n_embd);
  if (training) {
    b.dnormed = arena.take(tokens, config.n_embd);
    b.drows = arena.take(chunk, config.n_embd);
  }
  return b;
}

std::vector<int64_t> active_rows(const HeadTargets& t) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < t.tokens; ++i)
    if ((t.weights ? t.weights[i] : t.uniform_weight) != 0) rows.push_back(i);
  return rows;
}

double head_loss(const Config& config, ops::Ops& ops, const Weights& weights, const Weights* gradients,
                 const at::Tensor& x, const at::Tensor& dx, const HeadBuffers& b, const HeadTargets& t,
                 const std::vector<int64_t>& active, float* nll) {
  ops.norm(weights.ln_f, x, b.normed, b.statistics, {});
  if (nll) std::fill_n(nll, t.tokens, 0.0f);
  const int64_t count = static_cast<int64_t>(active.size()), chunk_rows = b.logits.size(0);
  if (gradients && count < t.tokens) b.dnormed.zero_();
  std::vector<int32_t> targets;
  std::vector<float> token_weights;
  std::vector<double> chunk_nll(static_cast<size_t>(chunk_rows));
  double sum = 0;
  for (int64_t first = 0; first < count; first += chunk_rows) {
    const ActiveChunk chunk(ops, active, first, std::min(chunk_rows, count - first));
    targets.clear();
    token_weights.clear();
    for (int64_t i = 0; i < chunk.size(); ++i) {
      targets.push_back(t.targets[chunk.row(i)]);
      token_weights.push_back(t.weights ? t.weights[chunk.row(i)] : t.uniform_weight);
    }
    const at::Tensor rows = chunk.read(b.normed, b.rows), logits = b.logits.narrow(0, 0, chunk.size());
    ops.linear(rows, weights.head, weights.head_bias, logits, false);
    ops.cross_entropy(logits, targets.data(), gradients ? token_weights.data() : nullptr, config.logit_softcap,
                      chunk_nll.data());
    for (int64_t i = 0; i < chunk.size(); ++i) {
      const double value = chunk_nll[static_cast<size_t>(i)];
      sum += static_cast<double>(token_weights[static_cast<size_t>(i)]) * value;
      if (nll) nll[chunk.row(i)] = static_cast<float>(value);
    }
    if (!gradients) continue;
    const at::Tensor drows = chunk.target(b.dnormed, b.drows);
    ops.linear_backward_input(logits, weights.head, drows, false);
    chunk.write_back(drows, b.dnormed);
    ops.linear_backward_weight(logits, rows, gradients->head, gradients->head_bias);
  }
  if (gradients)
    ops.norm_backward(weights.ln_f, x, b.statistics, b.dnormed, dx, false, gradients->ln_f.weight,
                      gradients->ln_f.bias);
  return sum;
}

namespace {

// The memory of 16-bit logits as half as many rows in float32.
at::Tensor in_float(const at::Tensor& logits) {
  if (logits.scalar_type() == at::kFloat || logits.scalar_type() == at::kDouble) return logits;
  return logits.view({-1}).view(at::kFloat).view({logits.size(0) / 2, logits.size(1)});
}

}  // namespace

void head_loss_on_device(const Config& config, ops::Ops& ops, const Weights& weights, const Weights* gradients,
                         const at::Tensor& x, const at::Tensor& dx, const HeadBuffers& b, const int32_t* targets,
                         const float* token_weights, double* nll) {
  ops.norm(weights.ln_f, x, b.normed, b.statistics, {});
  const at::Tensor all_logits = gradients ? b.logits : in_float(b.logits);
  const int64_t tokens = x.size(0), chunk_rows = all_logits.size(0);
  for (int64_t first = 0; first < tokens; first += chunk_rows) {
    const int64_t count = std::min(chunk_rows, tokens - first);
    const at::Tensor rows = b.normed.narrow(0, first, count), logits = all_logits.narrow(0, 0, count);
    ops.linear(rows, weights.head, weights.head_bias, logits, false);
    ops.cross_entropy(logits, targets + first, token_weights + first, config.logit_softcap, nll + first);
    if (!gradients) continue;
    ops.linear_backward_input(logits, weights.head, b.dnormed.narrow(0, first, count), false);
    ops.linear_backward_weight(logits, rows, gradients->head, gradients->head_bias);
  }
  if (gradients)
    ops.norm_backward(weights.ln_f, x, b.statistics, b.dnormed, dx, false, gradients->ln_f.weight,
                      gradients->ln_f.bias);
}

void head_logits(const Config& config, ops::Ops& ops, const Weights& weights, const at::Tensor& x, const HeadBuffers& b,
                 float* out, ops::WeightForm form) {
  const at::Tensor all_logits = in_float(b.logits);
  const int64_t tokens = x.size(0), chunk_rows = all_logits.size(0);
  const at::Tensor normed = b.normed.narrow(0, 0, tokens);
  ops::NormStatistics statistics{{}, b.statistics.rstd.narrow(0, 0, tokens)};
  if (b.statistics.mean.defined()) statistics.mean = b.statistics.mean.narrow(0, 0, tokens);
  ops.norm(weights.ln_f, x, normed, statistics, {});
  at::Tensor result = at::from_blob(out, {tokens, config.vocab_size}, at::kFloat);
  for (int64_t first = 0; first < tokens; first += chunk_rows) {
    const int64_t count = std::min(chunk_rows, tokens - first);
    const at::Tensor logits = all_logits.narrow(0, 0, count), rows = normed.narrow(0, first, count);
    ops.linear_with(form, rows, weights.head, weights.head_bias, logits, false);
    ops.soft_cap(logits, config.logit_softcap);
    result.narrow(0, first, count).copy_(logits);
  }
}

}  // namespace picochat::model
