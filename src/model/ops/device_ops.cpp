// The operations on a GPU: our kernels for what is not a product, cuBLAS for the products, DeviceAttention, and the
// plain operations for what no preset of a GPU uses (LayerNorm, GELU, ReLU^2, biases, dropout, learned positions).
#include <ATen/ATen.h>

#include "model/device_stream.hpp"
#include "model/kernels/device/table.hpp"
#include "model/ops/device_attention.hpp"
#include "picochat/base/error.hpp"

namespace picochat::model::ops {

namespace {

namespace device = kernels::device;

template <typename T>
constexpr at::ScalarType kType = std::is_same_v<T, float> ? at::kFloat : at::kBFloat16;

template <typename T>
T* data(const Tensor& t) {
  return t.defined() ? static_cast<T*>(t.data_ptr()) : nullptr;
}

template <typename T>
const device::Table<T>& table_for(at::Device where) {
#ifdef PICOCHAT_CUDA
  if (where.is_cuda()) return device::cuda_table<T>();
#endif
  base::require(where.is_cpu(), "the kernels of the device are compiled in");
  return device::serial_table<T>();
}

template <typename T>
class DeviceOps final : public Ops {
 public:
  DeviceOps(at::Device where, const DeviceOptions& options)
      : where_(where), table_(table_for<T>(where)), plain_(make_reference_ops(where, kType<T>)), attention_(where, kType<T>, options.attention, *plain_) {}

  void embedding(std::span<const int32_t> tokens, const int32_t* positions, const Tensor& table, const Tensor& position_table,
                 const Tensor& x) override {
    if (position_table.defined()) return plain_->embedding(tokens, positions, table, position_table, x);
    table_.embedding(stream(), tokens.data(), x.size(0), data<T>(table), x.size(1), data<T>(x));
  }

  void embedding_backward(std::span<const int32_t> tokens, const int32_t* positions, const Tensor& dx, const Tensor& dtable,
                          const Tensor& dposition_table) override {
    if (dposition_table.defined()) return plain_->embedding_backward(tokens, positions, dx, dtable, dposition_table);
    const Tensor ids = at::from_blob(const_cast<int32_t*>(tokens.data()), {dx.size(0)}, at::TensorOptions().device(where_).dtype(at::kInt));
    const auto [sorted, order] = at::sort(ids, /*stable=*/true, 0, false);
    table_.embedding_backward(stream(), {data<int32_t>(sorted), data<int64_t>(order), dx.size(0), data<T>(dx), dx.stride(0), dx.size(1), data<float>(dtable)});
  }

  void norm(const Norm& norm, const Tensor& x, const Tensor& y, const NormStatistics& statistics, const Tensor& copy_of_x) override {
    if (norm.kind != NormKind::kRms || !aligned(norm.weight)) return plain_->norm(norm, x, y, statistics, copy_of_x);
    require_packed(x, y);
    table_.rms_norm(stream(), {data<T>(x), data<float>(norm.weight), static_cast<float>(norm.eps), x.size(0), x.size(1), data<T>(y), data<float>(statistics.rstd),
                               data<T>(copy_of_x)});
  }

  void norm_backward(const Norm& norm, const Tensor& x, const NormStatistics& statistics, const Tensor& dy, const Tensor& dx, bool accumulate, const Tensor& dweight,
                     const Tensor& dbias) override {
    if (norm.kind != NormKind::kRms || !device::takes_norm<T>(x.size(1)) || !aligned(norm.weight)) return plain_->norm_backward(norm, x, statistics, dy, dx, accumulate, dweight, dbias);
    require_packed(x, dy);
    require_packed(x, dx);
    const Tensor partial = scratch(device::parts_of(x.size(0), device::part_rows(x.size(0))) * x.size(1));
    table_.rms_norm_backward(stream(), {data<T>(dy), data<T>(x), data<float>(norm.weight), data<float>(statistics.rstd), x.size(0), x.size(1), accumulate, data<T>(dx),
                                        data<float>(dweight), data<float>(partial)});
  }

  void linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y, bool accumulate) override {
    if (bias.defined()) return plain_->linear(x, weight, bias, y, accumulate);
    Tensor out = y;
    if (x.scalar_type() != y.scalar_type())
      product_to_float(x, weight.t(), out, accumulate);
    else if (accumulate)
      at::addmm_out(out, y, x, weight.t());
    else
      at::mm_out(out, x, weight.t());
  }

  void linear_backward_input(const Tensor& dy, const Tensor& weight, const Tensor& dx, bool accumulate) override {
    Tensor out = dx;
    if (accumulate)
      at::addmm_out(out, dx, dy, weight);
    else
      at::mm_out(out, dy, weight);
  }

  void linear_backward_weight(const Tensor& dy, const Tensor& x, const Tensor& dweight, const Tensor& dbias) override {
    Tensor out = dweight;
    if (dy.scalar_type() == dweight.scalar_type())
      at::addmm_out(out, dweight, dy.t(), x);
    else
      product_to_float(dy.t(), x, out, true);
    if (dbias.defined()) dbias.add_(dy.sum(0, false, at::kFloat));
  }

  // The products of cuBLAS may depend on the number of rows: equal up to rounding, not to the bit.
  void linear_few_rows(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y, bool accumulate) override {
    linear(x, weight, bias, y, accumulate);
  }

  void qk(const QkNormRope& qk, const Tensor& in, const Tensor& out, const Tensor& rstd) override {
    if (!takes(qk)) return plain_->qk(qk, in, out, rstd);
    table_.qk(stream(), qk_of(qk, in, rstd), data<T>(out), out.stride(0));
  }

  void qk_backward(const QkNormRope& qk, const Tensor& in, const Tensor& rstd, const HeadGradients& gradients, const Tensor& dqkv, const Tensor& dq_weight,
                   const Tensor& dk_weight) override {
    if (!takes(qk)) return plain_->qk_backward(qk, in, rstd, gradients, dqkv, dq_weight, dk_weight);
    const Tensor partial = scratch(device::parts_of(in.size(0), device::part_rows(in.size(0))) * 2 * qk.head_dim);
    table_.qk_backward(stream(), {qk_of(qk, in, rstd), rows_of(gradients.q), rows_of(gradients.k), rows_of(gradients.v), data<T>(dqkv), dqkv.stride(0), data<float>(dq_weight), data<float>(dk_weight), data<float>(partial)});
  }

  Tensor attention(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v, const DropoutMask& dropout, const Tensor& out,
                   const Tensor& lse) override {
    return attention_.forward(shape, q, k, v, dropout, out, lse);
  }

  Tensor attention_output(const Tensor&, const Tensor& lse) const override { return attention_.output(lse); }

  HeadGradients attention_backward(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v, const DropoutMask& dropout, const Tensor& out,
                                   const Tensor& lse, const Tensor& dout, const Tensor& dq, const Tensor& dk, const Tensor& dv) override {
    return attention_.backward(shape, q, k, v, dropout, out, lse, dout, dq, dk, dv);
  }

  void cached_attention(const AttentionShape& shape, std::span<const CachedSequence> sequences, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& cache_k,
                        const Tensor& cache_v, const Tensor& out) override {
    place(sequences);
    const int64_t tokens = q.size(0), capacity = cache_k.size(2);
    const auto *row = data<int32_t>(places_), *keys = row + tokens;
    for (const auto& [from, cache] : {std::pair{k, cache_k}, std::pair{v, cache_v}})
      table_.cache_store(stream(), {tokens, shape.n_kv_head, shape.head_dim, capacity, row, keys, data<T>(from), from.stride(0), data<T>(cache)});
    table_.cached_attention(stream(), {tokens, shape.n_head, shape.n_kv_head, shape.head_dim, capacity, row, keys, data<T>(q), data<T>(cache_k), data<T>(cache_v), q.stride(0),
                                       data<T>(out), out.stride(0)});
  }

  void activation(ActivationKind kind, const Tensor& fc, const Tensor& h) override {
    if (kind != ActivationKind::kSwiglu) return plain_->activation(kind, fc, h);
    table_.swiglu(stream(), data<T>(fc), h.size(0), h.size(1), data<T>(h));
  }

  void activation_backward(ActivationKind kind, const Tensor& fc, const Tensor& h) override {
    if (kind != ActivationKind::kSwiglu) return plain_->activation_backward(kind, fc, h);
    table_.swiglu_backward(stream(), data<T>(fc), h.size(0), h.size(1), data<T>(h));
  }

  void dropout(const DropoutMask& mask, const Tensor& x, const Tensor& y, bool accumulate) override { plain_->dropout(mask, x, y, accumulate); }
  void gather_rows(const Tensor& x, std::span<const int64_t> rows, const Tensor& out) override { plain_->gather_rows(x, rows, out); }
  void scatter_rows(const Tensor& x, std::span<const int64_t> rows, const Tensor& out) override { plain_->scatter_rows(x, rows, out); }

  void cross_entropy(const Tensor& logits, const int32_t* targets, const float* weights, double softcap, double* nll) override {
    base::require(weights != nullptr && logits.is_contiguous(), "a device is given the weight of every row");
    if (logits.scalar_type() == kType<T>)
      table_.cross_entropy(stream(), {data<T>(logits), logits.size(0), logits.size(1), targets, weights, static_cast<float>(softcap), true, nll});
    else  // logits in float32 are scored, not trained on
      table_for<float>(where_).cross_entropy(stream(), {data<float>(logits), logits.size(0), logits.size(1), targets, weights, static_cast<float>(softcap), false, nll});
  }

  void soft_cap(const Tensor& logits, double softcap) override { plain_->soft_cap(logits, softcap); }

  std::string attention_used() const override { return attention_.used(); }

 private:
  device::Stream stream() const { return stream_of(where_); }
  Tensor scratch(int64_t floats) const { return at::empty({floats}, at::TensorOptions().device(where_).dtype(at::kFloat)); }

  // Weights are read four at once. They lie one after another in the flat buffer, and a bias of an odd size may be before them.
  static bool aligned(const Tensor& weight) { return !weight.defined() || reinterpret_cast<uintptr_t>(weight.data_ptr()) % 16 == 0; }
  static bool takes(const QkNormRope& qk) { return device::takes_head<T>(qk.head_dim) && aligned(qk.q_weight) && aligned(qk.k_weight); }

  static void require_packed(const Tensor& a, const Tensor& b) {
    base::require(a.is_contiguous() && b.is_contiguous() && a.size(1) == b.size(1), "matrices of the norm are packed");
  }

  static device::Rows<T> rows_of(const Tensor& matrix) { return {data<T>(matrix), matrix.stride(0)}; }

  device::Qk<T> qk_of(const QkNormRope& qk, const Tensor& in, const Tensor& rstd) const {
    return {in.size(0),           qk.n_head,           qk.n_kv_head, qk.head_dim, static_cast<float>(qk.eps), data<float>(qk.q_weight), data<float>(qk.k_weight),
            data<float>(qk.cosine), data<float>(qk.sine), qk.positions, data<T>(in), in.stride(0),               data<float>(rstd)};
  }

  // a b (or out + a b) in float32 from matrices of 16 bits; in one product on a GPU.
  void product_to_float(const Tensor& a, const Tensor& b, Tensor& out, bool accumulate) const {
    if (where_.is_cpu()) {
      const Tensor result = at::mm(a.to(at::kFloat), b.to(at::kFloat));
      accumulate ? out.add_(result) : out.copy_(result);
    } else if (accumulate) {
      at::addmm_out(out, out, a, b, at::kFloat);
    } else {
      at::mm_out(out, a, b, at::kFloat);
    }
  }

  // Where each new token goes in the cache, in device memory; the layers of one pass ask for the same.
  void place(std::span<const CachedSequence> sequences) {
    std::vector<int32_t> rows, keys;
    for (const CachedSequence& s : sequences)
      for (int64_t i = 0; i < s.count; ++i) {
        rows.push_back(static_cast<int32_t>(s.cache_row));
        keys.push_back(static_cast<int32_t>(s.cached + i + 1));
      }
    rows.insert(rows.end(), keys.begin(), keys.end());
    if (rows == placed_) return;
    placed_ = std::move(rows);
    places_ = at::from_blob(placed_.data(), {static_cast<int64_t>(placed_.size())}, at::kInt).to(where_, /*non_blocking=*/false, /*copy=*/true);
  }

  at::Device where_;
  const device::Table<T>& table_;
  std::unique_ptr<Ops> plain_;
  DeviceAttention attention_;
  std::vector<int32_t> placed_;
  Tensor places_;
};

}  // namespace

std::unique_ptr<Ops> make_device_ops(at::Device where, at::ScalarType dtype, const DeviceOptions& options) {
  if (dtype == at::kFloat) return std::make_unique<DeviceOps<float>>(where, options);
  base::require(dtype == at::kBFloat16, "a device computes in float32 or bfloat16");
  return std::make_unique<DeviceOps<device::Bf16>>(where, options);
}

}  // namespace picochat::model::ops
