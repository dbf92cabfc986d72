// The CPU kernels as a table of functions, one table per instruction level. Matrices are row-major
// with a row stride in elements ("ld"). No LibTorch here: these files compile in a second and may be
// built for newer instruction sets.
//
// Every result is a function of the arguments alone, never of the number of threads: work is cut
// into fixed blocks, and partial sums are added in block order.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "model/kernels/adamw_rule.hpp"

namespace picochat::model::kernels {

template <typename T>
struct Matrix {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t ld = 0;

  T* row(int64_t r) const { return data + r * ld; }
  operator Matrix<const T>() const { return {data, rows, columns, ld}; }
};

enum class NormKind { kRms, kLayer };
enum class ActivationKind { kGelu, kRelu2, kSwiglu };

// Which elements are dropped is a function of (key, site, element index): see dropout.hpp.
struct DropoutMask {
  double rate = 0;
  uint64_t key = 0;
  uint32_t site = 0;
};

template <typename T>
struct NormArgs {
  NormKind kind = NormKind::kRms;
  double eps = 1e-6;
  Matrix<const T> x;
  const T* weight = nullptr;
  const T* bias = nullptr;  // layer norm only
  T* mean = nullptr;        // [rows], layer norm only
  T* rstd = nullptr;        // [rows]
};

// Per-head norm (weights null: none) and rotation (cosine null: none) of the leading q and k heads
// of a packed [tokens, heads * head_dim] matrix.
template <typename T>
struct QkArgs {
  int64_t n_head = 0, n_kv_head = 0, head_dim = 0;
  double eps = 1e-6;
  const T* q_weight = nullptr;
  const T* k_weight = nullptr;
  const T* cosine = nullptr;  // [positions, head_dim / 2]
  const T* sine = nullptr;
  const int32_t* position = nullptr;  // [tokens]
};

template <typename T>
struct AttentionArgs {
  int64_t rows = 0, length = 0, n_head = 0, n_kv_head = 0, head_dim = 0;
  Matrix<const T> q, k, v;                 // [rows * length, heads * head_dim]
  const int32_t* segment_start = nullptr;  // [rows * length] or null
  DropoutMask dropout;
};

// One sequence of a decoding step: `count` new tokens from row `first` of q on, with `cached` keys
// and values of earlier tokens and the new ones behind them in the cache. `each`: every token is computed as if it were
// alone in its step, to the last bit.
struct CachedSequence {
  int64_t cache_row = 0, first = 0, count = 0, cached = 0;
  bool each = false;
};

template <typename T>
struct Table {
  const char* level;

  void (*norm_forward)(const NormArgs<T>&, Matrix<T> y, T* copy_of_x);
  // dx is overwritten, or added to with `accumulate`. scratch: 2 * ceil(rows / 64) * columns.
  void (*norm_backward)(const NormArgs<T>&, Matrix<const T> dy, Matrix<T> dx, bool accumulate, T* dweight, T* dbias,
                        T* scratch);

  void (*qk_forward)(const QkArgs<T>&, Matrix<const T> in, Matrix<T> out, T* rstd);
  // In place on the gradient of the output. scratch: 2 * ceil(rows / 64) * head_dim.
  void (*qk_backward)(const QkArgs<T>&, Matrix<const T> in, const T* rstd, Matrix<T> gradient, T* dq_weight,
                      T* dk_weight, T* scratch);

  int64_t (*attention_scratch)(const AttentionArgs<T>&, bool backward);  // elements a thread needs
  void (*attention_forward)(const AttentionArgs<T>&, Matrix<T> out, T* lse, T* scratch);
  void (*attention_backward)(const AttentionArgs<T>&, Matrix<const T> out, const T* lse, Matrix<const T> dout,
                             Matrix<T> dq, Matrix<T> dk, Matrix<T> dv, T* scratch);
  // cache_v: [cache rows, n_kv_head, capacity, head_dim]; cache_k holds the same in panels of keys, each [head_dim, keys], for which
  // the capacity is a multiple of kCacheStep. args.length is the largest cached + count.
  void (*cached_attention)(const AttentionArgs<T>&, const CachedSequence* sequences, int64_t sequence_count, T* cache_k,
                           T* cache_v, int64_t capacity, Matrix<T> out, T* scratch);

  void (*activation_forward)(ActivationKind, Matrix<const T> fc, Matrix<T> h);
  // In place: fc becomes its gradient, and the gradient of h becomes h again (its weight gradient needs it).
  void (*activation_backward)(ActivationKind, Matrix<T> fc, Matrix<T> h);

  void (*embedding_forward)(const int32_t* tokens, const int32_t* positions, const T* table, const T* position_table,
                            Matrix<T> x);
  void (*embedding_backward)(const int32_t* tokens, const int32_t* positions, Matrix<const T> dx, T* dtable,
                             T* dposition_table);

  void (*fill_rows)(Matrix<T> y, const T* values, bool accumulate);  // each row = (or +=) values
  void (*column_sums)(Matrix<const T> x, T* sums);                   // sums += column sums of x
  // C = (or +=) op(A) op(B); op transposes or not. scratch: kProductScratch.
  void (*product)(bool transpose_a, Matrix<const T> a, bool transpose_b, Matrix<const T> b, bool accumulate, Matrix<T> c,
                  T* scratch);
  // y = (or +=) x weight^T + bias for the few rows of a decoding step; the weight was packed before.
  int64_t (*packed_weight_size)(int64_t rows, int64_t columns);
  void (*pack_weight)(Matrix<const T> weight, T* packed);
  void (*linear_few_rows)(Matrix<const T> x, const T* packed, const T* bias, Matrix<T> y, bool accumulate);
  // The same, about, with a weight of 8 bits an element. Sizes are bytes; the memory is aligned as a T is.
  int64_t (*rounded_weight_size)(int64_t rows, int64_t columns);
  void (*round_weight)(Matrix<const T> weight, int8_t* rounded);
  void (*linear_rounded)(Matrix<const T> x, const int8_t* rounded, const T* bias, Matrix<T> y, bool accumulate);

  void (*dropout)(const DropoutMask&, Matrix<const T> x, Matrix<T> y,
                  bool accumulate);  // y = (or +=) mask * x / (1 - rate)

  // Turns logits into the gradient of sum(weight * nll) when `gradient`, else leaves them capped.
  void (*cross_entropy)(Matrix<T> logits, const int32_t* targets, const T* weights, double softcap, bool gradient,
                        double* nll);
  void (*soft_cap)(Matrix<T> logits, double softcap);
};

// Optimizer arithmetic is float32 only.
struct OptimizerTable {
  double (*squared_norm)(const float* values, int64_t count, double* partial);  // partial: ceil(count / 8192)
  void (*adamw)(const AdamWRule&, int64_t begin, int64_t end, float* p, float* g, float* m, float* v, bool clear);
  void (*ema)(float decay, int64_t count, const float* values, float* average);
};

struct SamplingTable {
  float (*largest)(const float* values, int64_t count);  // NaN when a value is NaN
  void (*block_maxima)(const float* values, int64_t count, float* maxima);  // of kMaximaBlock values each; no NaN among them
  // weights[i] = exp((values[i] - largest) * scale), 0 where that is below exp(-87); block_sums: their sums over kSamplingBlock
  // values each. Returns the sum of block_sums.
  double (*weights)(const float* values, int64_t count, float largest, float scale, float* weights, double* block_sums);
};

constexpr int64_t kSamplingBlock = 64, kMaximaBlock = 16;
constexpr int64_t kCacheStep = 48;
constexpr int64_t kRowBlock = 64;
constexpr int64_t kNormBlock = 8192;
// Of a product: steps, columns and, of a transposed left operand, rows that are packed at a time.
constexpr int64_t kDepthBlock = 256, kColumnBlock = 384, kLeftBlock = 1536;
constexpr int64_t kProductScratch = (kColumnBlock + kLeftBlock) * kDepthBlock;

// The best level that this processor runs; chosen once. PICOCHAT_KERNELS=x86-64|x86-64-v3|x86-64-v4 lowers it.
template <typename T>
const Table<T>& table();
const OptimizerTable& optimizer_table();
const SamplingTable& sampling_table();

// The calling thread's scratch for `product`, in whole cache lines, kept.
template <typename T>
T* product_scratch();

}  // namespace picochat::model::kernels
