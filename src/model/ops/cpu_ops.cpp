#include <omp.h>

#include <cstdlib>
#include <cstring>

#include <ATen/ATen.h>

#include "model/ops/ops.hpp"
#include "picochat/base/error.hpp"

namespace picochat::model::ops {

namespace {

using kernels::Matrix;

template <typename T>
T* data(const Tensor& t) {
  return t.defined() ? t.data_ptr<T>() : nullptr;
}

template <typename T>
Matrix<T> matrix(const Tensor& t) {
  return {t.data_ptr<T>(), t.size(0), t.size(1), t.stride(0)};
}

// Memory for partial results, grown to the largest need and kept.
template <typename T>
class Scratch {
 public:
  ~Scratch() { std::free(memory_); }
  T* get(int64_t count) {
    if (count > count_) {
      std::free(memory_);
      memory_ = static_cast<T*>(std::aligned_alloc(64, (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64));
      base::require(memory_ != nullptr, "memory for kernel scratch");
      count_ = count;
    }
    return memory_;
  }

 private:
  T* memory_ = nullptr;
  int64_t count_ = 0;
};

template <typename T>
class CpuOps final : public Ops {
 public:
  void embedding(std::span<const int32_t> tokens, const int32_t* positions, const Tensor& table,
                 const Tensor& position_table, const Tensor& x) override {
    kernels_.embedding_forward(tokens.data(), positions, data<T>(table), data<T>(position_table), matrix<T>(x));
  }

  void embedding_backward(std::span<const int32_t> tokens, const int32_t* positions, const Tensor& dx,
                          const Tensor& dtable, const Tensor& dposition_table) override {
    kernels_.embedding_backward(tokens.data(), positions, matrix<T>(dx), data<T>(dtable), data<T>(dposition_table));
  }

  void norm(const Norm& norm, const Tensor& x, const Tensor& y, const NormStatistics& statistics,
            const Tensor& copy_of_x) override {
    kernels_.norm_forward(norm_args(norm, x, statistics), matrix<T>(y), data<T>(copy_of_x));
  }

  void norm_backward(const Norm& norm, const Tensor& x, const NormStatistics& statistics, const Tensor& dy,
                     const Tensor& dx, bool accumulate, const Tensor& dweight, const Tensor& dbias) override {
    T* scratch = scratch_.get(2 * row_blocks(x) * x.size(1));
    kernels_.norm_backward(norm_args(norm, x, statistics), matrix<T>(dy), matrix<T>(dx), accumulate, data<T>(dweight),
                           data<T>(dbias), scratch);
  }

  void linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y, bool accumulate) override {
    if (bias.defined()) kernels_.fill_rows(matrix<T>(y), data<T>(bias), accumulate);
    product(false, x, true, weight, accumulate || bias.defined(), y);
  }

  void linear_backward_input(const Tensor& dy, const Tensor& weight, const Tensor& dx, bool accumulate) override {
    product(false, dy, false, weight, accumulate, dx);
  }

  void linear_backward_weight(const Tensor& dy, const Tensor& x, const Tensor& dweight, const Tensor& dbias) override {
    product(true, dy, false, x, true, dweight);
    if (dbias.defined()) kernels_.column_sums(matrix<T>(dy), data<T>(dbias));
  }

  Tensor pack_weight(const Tensor& weight) override {
    const Tensor packed = at::empty({kernels_.packed_weight_size(weight.size(0), weight.size(1))}, weight.options());
    kernels_.pack_weight(matrix<T>(weight), data<T>(packed));
    return packed;
  }

  void linear_few_rows(const Tensor& x, const Tensor& packed, const Tensor& bias, const Tensor& y,
                       bool accumulate) override {
    kernels_.linear_few_rows(matrix<T>(x), data<T>(packed), data<T>(bias), matrix<T>(y), accumulate);
  }

  Tensor round_weight(const Tensor& weight) override {
    const Tensor rounded = at::empty({kernels_.rounded_weight_size(weight.size(0), weight.size(1))}, weight.options().dtype(at::kChar));
    kernels_.round_weight(matrix<T>(weight), data<int8_t>(rounded));
    return rounded;
  }

  void linear_rounded(const Tensor& x, const Tensor& rounded, const Tensor& bias, const Tensor& y, bool accumulate) override {
    kernels_.linear_rounded(matrix<T>(x), data<int8_t>(rounded), data<T>(bias), matrix<T>(y), accumulate);
  }

  void qk(const QkNormRope& qk, const Tensor& in, const Tensor& out, const Tensor& rstd) override {
    kernels_.qk_forward(qk_args(qk), matrix<T>(in), matrix<T>(out), data<T>(rstd));
  }

  void qk_backward(const QkNormRope& qk, const Tensor& in, const Tensor& rstd, const HeadGradients& gradients,
                   const Tensor& dqkv, const Tensor& dq_weight, const Tensor& dk_weight) override {
    put_heads(gradients, dqkv);
    kernels_.qk_backward(qk_args(qk), matrix<T>(in), data<T>(rstd), matrix<T>(dqkv), data<T>(dq_weight),
                         data<T>(dk_weight), scratch_.get(2 * row_blocks(in) * qk.head_dim));
  }

  Tensor attention(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v,
                 const DropoutMask& dropout, const Tensor& out, const Tensor& lse) override {
    const auto args = attention_args(shape, q, k, v, dropout);
    kernels_.attention_forward(args, matrix<T>(out), data<T>(lse), thread_scratch(args, false));
    return out;
  }

  HeadGradients attention_backward(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v,
                          const DropoutMask& dropout, const Tensor& out, const Tensor& lse, const Tensor& dout,
                          const Tensor& dq, const Tensor& dk, const Tensor& dv) override {
    const auto args = attention_args(shape, q, k, v, dropout);
    kernels_.attention_backward(args, matrix<T>(out), data<T>(lse), matrix<T>(dout), matrix<T>(dq), matrix<T>(dk),
                                matrix<T>(dv), thread_scratch(args, true));
    return {dq, dk, dv};
  }

  void cached_attention(const AttentionShape& shape, std::span<const CachedSequence> sequences, const Tensor& q,
                        const Tensor& k, const Tensor& v, const Tensor& cache_k, const Tensor& cache_v,
                        const Tensor& out) override {
    const auto args = attention_args(shape, q, k, v, {});
    kernels_.cached_attention(args, sequences.data(), static_cast<int64_t>(sequences.size()), data<T>(cache_k),
                              data<T>(cache_v), cache_k.size(2), matrix<T>(out), thread_scratch(args, false));
  }

  void activation(ActivationKind kind, const Tensor& fc, const Tensor& h) override {
    kernels_.activation_forward(kind, matrix<T>(fc), matrix<T>(h));
  }

  void activation_backward(ActivationKind kind, const Tensor& fc, const Tensor& h) override {
    kernels_.activation_backward(kind, matrix<T>(fc), matrix<T>(h));
  }

  void dropout(const DropoutMask& mask, const Tensor& x, const Tensor& y, bool accumulate) override {
    kernels_.dropout(mask, matrix<T>(x), matrix<T>(y), accumulate);
  }

  void gather_rows(const Tensor& x, std::span<const int64_t> rows, const Tensor& out) override {
    const auto from = matrix<T>(x), to = matrix<T>(out);
    for (size_t r = 0; r < rows.size(); ++r)
      std::memcpy(to.row(static_cast<int64_t>(r)), from.row(rows[r]), sizeof(T) * static_cast<size_t>(from.columns));
  }

  void scatter_rows(const Tensor& x, std::span<const int64_t> rows, const Tensor& out) override {
    const auto from = matrix<T>(x), to = matrix<T>(out);
    for (size_t r = 0; r < rows.size(); ++r)
      std::memcpy(to.row(rows[r]), from.row(static_cast<int64_t>(r)), sizeof(T) * static_cast<size_t>(from.columns));
  }

  void cross_entropy(const Tensor& logits, const int32_t* targets, const float* weights, double softcap,
                     double* nll) override {
    const T* converted = nullptr;
    if constexpr (std::is_same_v<T, float>) {
      converted = weights;
    } else if (weights) {
      weights_.assign(weights, weights + logits.size(0));
      converted = weights_.data();
    }
    kernels_.cross_entropy(matrix<T>(logits), targets, converted, softcap, weights != nullptr, nll);
  }

  void soft_cap(const Tensor& logits, double softcap) override { kernels_.soft_cap(matrix<T>(logits), softcap); }

 private:
  void product(bool transpose_a, const Tensor& a, bool transpose_b, const Tensor& b, bool accumulate, const Tensor& c) {
    kernels_.product(transpose_a, matrix<T>(a), transpose_b, matrix<T>(b), accumulate, matrix<T>(c),
                     kernels::product_scratch<T>());
  }

  static int64_t row_blocks(const Tensor& x) { return (x.size(0) + kernels::kRowBlock - 1) / kernels::kRowBlock; }

  static kernels::NormArgs<T> norm_args(const Norm& norm, const Tensor& x, const NormStatistics& statistics) {
    return {norm.kind,
            norm.eps,
            matrix<T>(x),
            data<T>(norm.weight),
            data<T>(norm.bias),
            data<T>(statistics.mean),
            data<T>(statistics.rstd)};
  }

  static kernels::QkArgs<T> qk_args(const QkNormRope& qk) {
    return {qk.n_head,          qk.n_kv_head,     qk.head_dim, qk.eps, data<T>(qk.q_weight), data<T>(qk.k_weight),
            data<T>(qk.cosine), data<T>(qk.sine), qk.positions};
  }

  static kernels::AttentionArgs<T> attention_args(const AttentionShape& shape, const Tensor& q, const Tensor& k,
                                                  const Tensor& v, const DropoutMask& dropout) {
    return {shape.rows,   shape.length, shape.n_head, shape.n_kv_head,     shape.head_dim,
            matrix<T>(q), matrix<T>(k), matrix<T>(v), shape.segment_start, dropout};
  }

  T* thread_scratch(const kernels::AttentionArgs<T>& args, bool backward) {
    return scratch_.get(omp_get_max_threads() * kernels_.attention_scratch(args, backward));
  }

  const kernels::Table<T>& kernels_ = kernels::table<T>();
  Scratch<T> scratch_;
  std::vector<T> weights_;
};

}  // namespace

std::unique_ptr<Ops> make_cpu_ops(at::ScalarType dtype) {
  if (dtype == at::kDouble) return std::make_unique<CpuOps<double>>();
  base::require(dtype == at::kFloat, "CPU kernels work in float32 (float64 in tests)");
  return std::make_unique<CpuOps<float>>();
}

}  // namespace picochat::model::ops
