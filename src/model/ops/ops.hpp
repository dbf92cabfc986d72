// The operations that the transformer is made of, with three implementations: our CPU kernels, our GPU kernels, and
// plain ATen for any device and data type, which is also what the kernels are tested against.
//
// Tensors are 2-D views of memory that the caller owns, with unit stride along the last dimension. Token ids,
// positions, targets, weights and nll are arrays in the memory of the device that computes. Gradients of parameters
// are added to. Where matrices have 16 bits an element, weights and biases of norms, statistics, rotation tables and
// gradients of parameters are float32.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/kernels/table.hpp"
#include "picochat/model/config.hpp"

namespace picochat::model::ops {

using at::Tensor;
using kernels::ActivationKind;
using kernels::CachedSequence;
using kernels::DropoutMask;
using kernels::kCacheStep;
using kernels::NormKind;

struct Norm {
  NormKind kind;
  double eps;
  Tensor weight, bias;  // bias undefined for RMSNorm
};

struct NormStatistics {
  Tensor mean, rstd;  // [rows]; mean undefined for RMSNorm
};

// Of queries, keys and values, each [tokens, heads * head_dim].
struct HeadGradients {
  Tensor q, k, v;
};

// Where attention runs and over what.
struct AttentionShape {
  int64_t rows, length, n_head, n_kv_head, head_dim;
  const int32_t* segment_start;  // [rows * length] or null
  // The same segments as their first tokens in the batch, and the number of tokens at the end: [segments + 1], where
  // the attention of a GPU library takes them so; else null.
  const int32_t* segment_offsets = nullptr;
  int64_t segments = 0;
};

struct QkNormRope {
  int64_t n_head, n_kv_head, head_dim;
  double eps;
  Tensor q_weight, k_weight;  // undefined: no norm
  Tensor cosine, sine;        // [positions, head_dim / 2], undefined: no rotation
  const int32_t* positions;
};

// How a decoder's matrices lie: as they are trained, packed for the few rows of a step, or packed and rounded to 8 bits
// for drafts.
enum class WeightForm { kPlain, kPacked, kRounded };

class Ops {
 public:
  virtual ~Ops() = default;

  virtual void embedding(std::span<const int32_t> tokens, const int32_t* positions, const Tensor& table,
                         const Tensor& position_table, const Tensor& x) = 0;
  virtual void embedding_backward(std::span<const int32_t> tokens, const int32_t* positions, const Tensor& dx,
                                  const Tensor& dtable, const Tensor& dposition_table) = 0;

  // y = norm(x). copy_of_x, when defined, receives x: the residual sum goes on from there.
  virtual void norm(const Norm&, const Tensor& x, const Tensor& y, const NormStatistics&, const Tensor& copy_of_x) = 0;
  virtual void norm_backward(const Norm&, const Tensor& x, const NormStatistics&, const Tensor& dy, const Tensor& dx,
                             bool accumulate, const Tensor& dweight, const Tensor& dbias) = 0;

  // y = (or +=) x weight^T + bias; bias may be undefined.
  virtual void linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y, bool accumulate) = 0;
  virtual void linear_backward_input(const Tensor& dy, const Tensor& weight, const Tensor& dx, bool accumulate) = 0;
  virtual void linear_backward_weight(const Tensor& dy, const Tensor& x, const Tensor& dweight,
                                      const Tensor& dbias) = 0;
  // linear() for decoding steps: the result of a row does not depend on the other rows. `packed` is what pack_weight made of the
  // weight, which must not change meanwhile.
  virtual Tensor pack_weight(const Tensor& weight) { return weight; }
  virtual void linear_few_rows(const Tensor& x, const Tensor& packed, const Tensor& bias, const Tensor& y,
                               bool accumulate) = 0;
  // The same, about, and faster where reading the weight is what takes the time.
  virtual Tensor round_weight(const Tensor& weight) { return pack_weight(weight); }
  virtual void linear_rounded(const Tensor& x, const Tensor& rounded, const Tensor& bias, const Tensor& y, bool accumulate) {
    linear_few_rows(x, rounded, bias, y, accumulate);
  }
  void linear_with(WeightForm form, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y, bool accumulate) {
    if (form == WeightForm::kPlain) return linear(x, weight, bias, y, accumulate);
    if (form == WeightForm::kPacked) return linear_few_rows(x, weight, bias, y, accumulate);
    linear_rounded(x, weight, bias, y, accumulate);
  }

  // Queries and keys: the leading n_head + n_kv_head heads of `in`, normed and rotated.
  virtual void qk(const QkNormRope&, const Tensor& in, const Tensor& out, const Tensor& rstd) = 0;
  // From the gradients of the heads, wherever they lie, to that of `in`, dqkv.
  virtual void qk_backward(const QkNormRope&, const Tensor& in, const Tensor& rstd, const HeadGradients&,
                           const Tensor& dqkv, const Tensor& dq_weight, const Tensor& dk_weight) = 0;

  // Returns its output [tokens, n_head * head_dim]: `out`, or memory of the library that computed it, which is kept until
  // attention is asked for with this lse again. Training on a device gives no `out`.
  virtual Tensor attention(const AttentionShape&, const Tensor& q, const Tensor& k, const Tensor& v, const DropoutMask&,
                           const Tensor& out, const Tensor& lse) = 0;
  // What attention() returned for this lse.
  virtual Tensor attention_output(const Tensor& out, const Tensor& /*lse*/) const { return out; }
  // Returns where the gradients lie: in dq, dk, dv, or in memory of the library.
  virtual HeadGradients attention_backward(const AttentionShape&, const Tensor& q, const Tensor& k, const Tensor& v,
                                           const DropoutMask&, const Tensor& out, const Tensor& lse, const Tensor& dout,
                                           const Tensor& dq, const Tensor& dk, const Tensor& dv) = 0;
  // Puts the new keys and values into the cache [cache rows, n_kv_head, capacity, head_dim], then attends. How the keys lie in
  // cache_k is the implementation's; whole kCacheSteps of tokens may be copied.
  virtual void cached_attention(const AttentionShape&, std::span<const CachedSequence> sequences, const Tensor& q,
                                const Tensor& k, const Tensor& v, const Tensor& cache_k, const Tensor& cache_v,
                                const Tensor& out) = 0;

  virtual void activation(ActivationKind, const Tensor& fc, const Tensor& h) = 0;
  // fc becomes its gradient; h holds the gradient of the activation's output and becomes that output.
  virtual void activation_backward(ActivationKind, const Tensor& fc, const Tensor& h) = 0;

  virtual void dropout(const DropoutMask&, const Tensor& x, const Tensor& y, bool accumulate) = 0;

  virtual void gather_rows(const Tensor& x, std::span<const int64_t> rows, const Tensor& out) = 0;
  virtual void scatter_rows(const Tensor& x, std::span<const int64_t> rows, const Tensor& out) = 0;

  // nll of each row; with weights, logits become the gradient of sum(weight * nll).
  virtual void cross_entropy(const Tensor& logits, const int32_t* targets, const float* weights, double softcap,
                             double* nll) = 0;
  virtual void soft_cap(const Tensor& logits, double softcap) = 0;

  // The library that computes attention, where there is a choice and it has been made.
  virtual std::string attention_used() const { return {}; }
};

// Copies what does not lie in dqkv already to its place there.
void put_heads(const HeadGradients& gradients, const Tensor& dqkv);

// Our kernels; float32 and, for tests, float64.
std::unique_ptr<Ops> make_cpu_ops(at::ScalarType dtype);
// Plain ATen.
std::unique_ptr<Ops> make_reference_ops(at::Device device, at::ScalarType dtype);


struct DeviceOptions {
  std::string attention = "auto";  // auto, cudnn, flash, efficient, math
};
// Our GPU kernels, cuBLAS and the attention of LibTorch; on the CPU the kernels' bodies run serially, for tests.
// float32 or bfloat16.
std::unique_ptr<Ops> make_device_ops(at::Device device, at::ScalarType dtype, const DeviceOptions& options);

}  // namespace picochat::model::ops
