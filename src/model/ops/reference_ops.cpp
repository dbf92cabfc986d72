// The operations in plain ATen: short, for any device and data type, with no regard to speed or to the order of sums.
// Types of 16 bits are computed with in float32.
#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

#include "model/ops/ops.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"

namespace picochat::model::ops {

namespace {

class ReferenceOps final : public Ops {
 public:
  ReferenceOps(at::Device device, at::ScalarType dtype) : device_(device), dtype_(dtype) {}

  void embedding(std::span<const int32_t> tokens, const int32_t* positions, const Tensor& table,
                 const Tensor& position_table, const Tensor& x) override {
    x.copy_(table.index_select(0, indices(tokens)));
    if (position_table.defined()) x.add_(position_table.index_select(0, indices({positions, tokens.size()})));
  }

  void embedding_backward(std::span<const int32_t> tokens, const int32_t* positions, const Tensor& dx,
                          const Tensor& dtable, const Tensor& dposition_table) override {
    dtable.index_add_(0, indices(tokens), dx.to(dtable.scalar_type()));
    if (dposition_table.defined())
      dposition_table.index_add_(0, indices({positions, tokens.size()}), dx.to(dposition_table.scalar_type()));
  }

  void norm(const Norm& norm, const Tensor& input, const Tensor& y, const NormStatistics& statistics,
            const Tensor& copy_of_x) override {
    const bool layer = norm.kind == NormKind::kLayer;
    const Tensor x = wide(input);
    const Tensor centred = layer ? x - x.mean(1, true) : x;
    if (layer) statistics.mean.copy_(x.mean(1));
    statistics.rstd.copy_((centred.square().mean(1) + norm.eps).rsqrt());
    Tensor result = centred * statistics.rstd.unsqueeze(1) * norm.weight;
    if (layer) result = result + norm.bias;
    y.copy_(result);
    if (copy_of_x.defined()) copy_of_x.copy_(input);
  }

  void norm_backward(const Norm& norm, const Tensor& input, const NormStatistics& statistics, const Tensor& slope,
                     const Tensor& dx, bool accumulate, const Tensor& dweight, const Tensor& dbias) override {
    const bool layer = norm.kind == NormKind::kLayer;
    const Tensor x = wide(input), dy = wide(slope);
    const Tensor rstd = statistics.rstd.unsqueeze(1);
    const Tensor normed = (layer ? x - statistics.mean.unsqueeze(1) : x) * rstd;
    dweight.add_((dy * normed).sum(0));
    if (layer) dbias.add_(dy.sum(0));
    const Tensor g = dy * norm.weight;
    Tensor result = g - normed * (g * normed).mean(1, true);
    if (layer) result = result - g.mean(1, true);
    assign(dx, result * rstd, accumulate);
  }

  void linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y, bool accumulate) override {
    Tensor result = x.scalar_type() == y.scalar_type() ? at::mm(x, weight.t()) : at::mm(wide(x), wide(weight).t());
    if (bias.defined()) result = result + bias;
    assign(y, result, accumulate);
  }

  void linear_backward_input(const Tensor& dy, const Tensor& weight, const Tensor& dx, bool accumulate) override {
    assign(dx, at::mm(dy, weight), accumulate);
  }

  void linear_backward_weight(const Tensor& dy, const Tensor& x, const Tensor& dweight, const Tensor& dbias) override {
    dweight.add_(at::mm(wide(dy).t(), wide(x)));
    if (dbias.defined()) dbias.add_(wide(dy).sum(0));
  }

  void linear_few_rows(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y,
                       bool accumulate) override {
    linear(x, weight, bias, y, accumulate);
  }

  void qk(const QkNormRope& qk, const Tensor& in, const Tensor& out, const Tensor& rstd) override {
    const int64_t heads = qk.n_head + qk.n_kv_head;
    Tensor x = wide(in.narrow(1, 0, heads * qk.head_dim)).reshape({in.size(0), heads, qk.head_dim});
    if (qk.q_weight.defined()) {
      rstd.copy_((x.square().mean(2) + qk.eps).rsqrt());
      x = x * rstd.unsqueeze(2) * head_weights(qk);
    }
    if (qk.cosine.defined()) x = rotate(qk, x, 1);
    out.copy_(x.reshape(out.sizes()));
  }

  void qk_backward(const QkNormRope& qk, const Tensor& in, const Tensor& rstd, const HeadGradients& gradients,
                   const Tensor& dqkv, const Tensor& dq_weight, const Tensor& dk_weight) override {
    put_heads(gradients, dqkv);
    const int64_t heads = qk.n_head + qk.n_kv_head;
    const Tensor target = dqkv.narrow(1, 0, heads * qk.head_dim);
    Tensor g = wide(target).reshape({in.size(0), heads, qk.head_dim});
    if (qk.cosine.defined()) g = rotate(qk, g, -1);
    if (qk.q_weight.defined()) {
      const Tensor scale = rstd.unsqueeze(2);
      const Tensor normed = wide(in.narrow(1, 0, heads * qk.head_dim)).reshape(g.sizes()) * scale;
      const Tensor dweight = (g * normed).sum(0);
      dq_weight.add_(dweight.narrow(0, 0, qk.n_head).sum(0));
      dk_weight.add_(dweight.narrow(0, qk.n_head, qk.n_kv_head).sum(0));
      g = g * head_weights(qk);
      g = (g - normed * (g * normed).mean(2, true)) * scale;
    }
    target.copy_(g.reshape(target.sizes()));
  }

  Tensor attention(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v,
                 const DropoutMask& dropout, const Tensor& out, const Tensor& lse) override {
    for (int64_t row = 0; row < shape.rows; ++row) {  // row by row: the scores of one row are held at a time
      const Tensor s = scores(shape, row, q, k);
      const Tensor p = at::softmax(s, -1) * keep(shape, row, dropout);
      part(out, row, shape).copy_(join(at::matmul(p, heads(v, row, shape, shape.n_kv_head))));
      part(lse, row, shape).copy_(at::logsumexp(s, -1).t());
    }
    return out;
  }

  HeadGradients attention_backward(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v,
                          const DropoutMask& dropout, const Tensor&, const Tensor&, const Tensor& dout,
                          const Tensor& dq, const Tensor& dk, const Tensor& dv) override {
    const double scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
    for (int64_t row = 0; row < shape.rows; ++row) {
      const Tensor p = at::softmax(scores(shape, row, q, k), -1), mask = keep(shape, row, dropout);
      const Tensor d = heads(dout, row, shape, shape.n_head);
      const Tensor dp = at::matmul(d, heads(v, row, shape, shape.n_kv_head).transpose(1, 2)) * mask;
      const Tensor ds = p * (dp - (p * dp).sum(-1, true)) * scale;
      part(dq, row, shape).copy_(join(at::matmul(ds, heads(k, row, shape, shape.n_kv_head))));
      part(dk, row, shape)
          .copy_(join(grouped(at::matmul(ds.transpose(1, 2), heads(q, row, shape, shape.n_head)), shape)));
      part(dv, row, shape).copy_(join(grouped(at::matmul((p * mask).transpose(1, 2), d), shape)));
    }
    return {dq, dk, dv};
  }

  void cached_attention(const AttentionShape& shape, std::span<const CachedSequence> sequences, const Tensor& q,
                        const Tensor& k, const Tensor& v, const Tensor& cache_k, const Tensor& cache_v,
                        const Tensor& out) override {
    for (const CachedSequence& s : sequences) {
      const int64_t keys = s.cached + s.count;
      auto store = [&](const Tensor& cache, const Tensor& fresh) {
        Tensor row = cache.select(0, s.cache_row);
        row.narrow(1, s.cached, s.count)
            .copy_(
                fresh.narrow(0, s.first, s.count).reshape({s.count, shape.n_kv_head, shape.head_dim}).transpose(0, 1));
        return wide(row.narrow(1, 0, keys)).repeat_interleave(shape.n_head / shape.n_kv_head, 0);
      };
      const Tensor all_k = store(cache_k, k), all_v = store(cache_v, v);
      const Tensor queries =
          wide(q.narrow(0, s.first, s.count)).reshape({s.count, shape.n_head, shape.head_dim}).transpose(0, 1);
      Tensor weights = at::matmul(queries, all_k.transpose(1, 2)) / std::sqrt(static_cast<double>(shape.head_dim));
      const Tensor hidden =
          at::ones({s.count, keys}, at::TensorOptions().device(device_).dtype(at::kBool)).triu(s.cached + 1);
      weights = at::softmax(weights.masked_fill(hidden, -INFINITY), -1);
      out.narrow(0, s.first, s.count).copy_(join(at::matmul(weights, all_v)));
    }
  }

  void activation(ActivationKind kind, const Tensor& fc, const Tensor& h) override {
    h.copy_(activate(kind, wide(fc)));
  }

  void activation_backward(ActivationKind kind, const Tensor& target, const Tensor& h) override {
    const Tensor fc = wide(target), output = activate(kind, fc), dy = wide(h).clone();
    if (kind == ActivationKind::kSwiglu) {
      const int64_t width = h.size(1);
      const Tensor gate = fc.narrow(1, 0, width).clone(), up = fc.narrow(1, width, width).clone(),
                   s = at::sigmoid(gate);
      target.narrow(1, 0, width).copy_(dy * up * (s + gate * s * (1 - s)));
      target.narrow(1, width, width).copy_(dy * gate * s);
    } else if (kind == ActivationKind::kRelu2) {
      target.copy_(2 * at::relu(fc) * dy);
    } else {
      const Tensor cumulative = 0.5 * (1 + at::erf(fc * std::sqrt(0.5)));
      target.copy_(dy * (cumulative + fc * at::exp(-0.5 * fc.square()) / std::sqrt(2 * std::numbers::pi)));
    }
    h.copy_(output);
  }

  void dropout(const DropoutMask& mask, const Tensor& x, const Tensor& y, bool accumulate) override {
    assign(y, wide(x) * keep_matrix(mask, 0, x.size(0), x.size(1)), accumulate);
  }

  void gather_rows(const Tensor& x, std::span<const int64_t> rows, const Tensor& out) override {
    out.copy_(x.index_select(0, row_indices(rows)));
  }

  void scatter_rows(const Tensor& x, std::span<const int64_t> rows, const Tensor& out) override {
    out.index_copy_(0, row_indices(rows), x);
  }

  void cross_entropy(const Tensor& logits, const int32_t* targets, const float* weights, double softcap,
                     double* nll) override {
    soft_cap(logits, softcap);
    const int64_t rows = logits.size(0);
    const Tensor target = indices({targets, static_cast<size_t>(rows)}).unsqueeze(1);
    const Tensor log_probabilities = at::log_softmax(logits, -1, accumulation_type());
    array(nll, rows, at::kDouble).copy_(-log_probabilities.gather(1, target).squeeze(1));
    if (!weights) return;
    const Tensor weight = array(weights, rows, at::kFloat).to(log_probabilities.scalar_type()).unsqueeze(1);
    Tensor gradient = log_probabilities.exp();
    gradient.scatter_add_(1, target, -at::ones_like(target, gradient.options()));
    gradient = gradient * weight;
    if (softcap > 0) gradient = gradient * (1 - (logits.to(gradient.scalar_type()) / softcap).square());
    logits.copy_(gradient);
  }

  void soft_cap(const Tensor& logits, double softcap) override {
    if (softcap > 0) logits.copy_(softcap * at::tanh(wide(logits) / softcap));
  }

 private:
  static void assign(const Tensor& to, const Tensor& value, bool accumulate) {
    if (accumulate)
      to.add_(value);
    else
      to.copy_(value);
  }

  at::ScalarType accumulation_type() const { return dtype_ == at::kDouble ? at::kDouble : at::kFloat; }

  Tensor wide(const Tensor& x) const { return x.to(accumulation_type()); }

  // An array in the memory of the device.
  Tensor array(const void* values, int64_t count, at::ScalarType type) const {
    return at::from_blob(const_cast<void*>(values), {count}, at::TensorOptions().device(device_).dtype(type));
  }
  Tensor indices(std::span<const int32_t> values) const {
    return array(values.data(), static_cast<int64_t>(values.size()), at::kInt).to(at::kLong);
  }
  Tensor row_indices(std::span<const int64_t> rows) const { return array(rows.data(), static_cast<int64_t>(rows.size()), at::kLong); }

  static Tensor head_weights(const QkNormRope& qk) {
    return at::cat({qk.q_weight.expand({qk.n_head, qk.head_dim}), qk.k_weight.expand({qk.n_kv_head, qk.head_dim})}, 0);
  }

  Tensor rotate(const QkNormRope& qk, const Tensor& x, double direction) const {
    const Tensor position = indices({qk.positions, static_cast<size_t>(x.size(0))});
    const Tensor c = qk.cosine.index_select(0, position).unsqueeze(1),
                 s = direction * qk.sine.index_select(0, position).unsqueeze(1);
    const Tensor first = x.narrow(2, 0, qk.head_dim / 2), second = x.narrow(2, qk.head_dim / 2, qk.head_dim / 2);
    return at::cat({first * c - second * s, second * c + first * s}, 2);
  }

  // Matrices of all tokens [rows * length, columns] by batch row, and as [heads, length, head_dim] with the key-value
  // heads repeated for the queries that share them.
  static Tensor part(const Tensor& x, int64_t row, const AttentionShape& shape) {
    return x.narrow(0, row * shape.length, shape.length);
  }
  Tensor heads(const Tensor& x, int64_t row, const AttentionShape& shape, int64_t count) const {
    return wide(part(x, row, shape))
        .reshape({shape.length, count, shape.head_dim})
        .transpose(0, 1)
        .repeat_interleave(shape.n_head / count, 0);
  }
  static Tensor join(const Tensor& x) { return x.transpose(0, 1).reshape({x.size(1), x.size(0) * x.size(2)}); }
  static Tensor grouped(const Tensor& x, const AttentionShape& shape) {
    return x.reshape({shape.n_kv_head, shape.n_head / shape.n_kv_head, x.size(1), x.size(2)}).sum(1);
  }

  Tensor scores(const AttentionShape& shape, int64_t row, const Tensor& q, const Tensor& k) const {
    const Tensor s =
        at::matmul(heads(q, row, shape, shape.n_head), heads(k, row, shape, shape.n_kv_head).transpose(1, 2)) /
        std::sqrt(static_cast<double>(shape.head_dim));
    const Tensor token = at::arange(shape.length, at::TensorOptions().device(device_).dtype(at::kLong));
    Tensor hidden = token.unsqueeze(0) > token.unsqueeze(1);
    if (shape.segment_start) {
      const Tensor start = indices({shape.segment_start + row * shape.length, static_cast<size_t>(shape.length)});
      hidden = hidden.logical_or(token.unsqueeze(0) < start.unsqueeze(1));
    }
    return s.masked_fill(hidden, -INFINITY);
  }

  // The masks of the kernels (see kernels/dropout.hpp), element for element.
  Tensor keep_matrix(const DropoutMask& mask, int64_t first_row, int64_t rows, int64_t columns) const {
    Tensor keep = at::empty({rows, columns}, at::kDouble);
    double* values = keep.data_ptr<double>();
    const uint32_t threshold = static_cast<uint32_t>(mask.rate * 4294967296.0);
    for (int64_t r = 0; r < rows; ++r) {
      const uint64_t row = static_cast<uint64_t>(first_row + r);
      for (int64_t c = 0; c < columns; ++c) {
        const auto bits = base::philox(
            {static_cast<uint32_t>(c / 4), mask.site, static_cast<uint32_t>(row), static_cast<uint32_t>(row >> 32)},
            {static_cast<uint32_t>(mask.key), static_cast<uint32_t>(mask.key >> 32)});
        values[r * columns + c] = bits[static_cast<size_t>(c % 4)] >= threshold ? 1 / (1 - mask.rate) : 0;
      }
    }
    return keep.to(device_, accumulation_type());
  }
  Tensor keep(const AttentionShape& shape, int64_t row, const DropoutMask& mask) const {
    if (mask.rate == 0) return at::ones({1}, at::TensorOptions().device(device_).dtype(accumulation_type()));
    const int64_t rows = shape.n_head * shape.length;
    return keep_matrix(mask, row * rows, rows, shape.length).view({shape.n_head, shape.length, shape.length});
  }

  static Tensor activate(ActivationKind kind, const Tensor& fc) {
    if (kind == ActivationKind::kSwiglu)
      return at::silu(fc.narrow(1, 0, fc.size(1) / 2)) * fc.narrow(1, fc.size(1) / 2, fc.size(1) / 2);
    return kind == ActivationKind::kRelu2 ? at::relu(fc).square() : at::gelu(fc);
  }

  at::Device device_;
  at::ScalarType dtype_;
};

}  // namespace

void put_heads(const HeadGradients& gradients, const Tensor& dqkv) {
  int64_t column = 0;
  for (const Tensor& from : {gradients.q, gradients.k, gradients.v}) {
    const Tensor to = dqkv.narrow(1, column, from.size(1));
    if (from.data_ptr() != to.data_ptr()) to.copy_(from);
    column += from.size(1);
  }
}

std::unique_ptr<Ops> make_reference_ops(at::Device device, at::ScalarType dtype) {
  return std::make_unique<ReferenceOps>(device, dtype);
}

}  // namespace picochat::model::ops
