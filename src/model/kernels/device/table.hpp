// The kernels of a GPU as a table of functions with two implementations: launches on a CUDA stream, and the same bodies
// run serially on the CPU, which is how they are tested where there is no GPU. No LibTorch and no CUDA header here.
//
// Matrices are row-major and packed unless a row stride in elements ("ld") is given. Weights of norms, statistics,
// rotation tables and gradients of parameters are float32; T is float or Bf16.
#pragma once

#include <type_traits>

#include "model/kernels/adamw_rule.hpp"
#include "model/kernels/device/team.hpp"

namespace picochat::model::kernels::device {

using Stream = void*;  // cudaStream_t

template <typename T>
struct RmsNorm {
  const T* x;
  const float* weight;
  float eps;
  int64_t rows, columns;
  T* y;
  float* rstd;
  T* copy;  // null, or receives x
};

template <typename T>
struct RmsNormBackward {
  const T *dy, *x;
  const float *weight, *rstd;
  int64_t rows, columns;
  bool accumulate;  // dx is added to
  T* dx;
  float *dweight, *partial;  // partial: parts_of(rows, part_rows(rows)) * columns
};

template <typename T>
struct Qk {
  int64_t tokens, n_head, n_kv_head, width;
  float eps;
  const float *q_weight, *k_weight;  // null: no norm
  const float *cosine, *sine;        // [positions, width / 2], null: no rotation
  const int32_t* positions;
  const T* in;
  int64_t in_ld;
  float* rstd;  // [tokens, n_head + n_kv_head]
};

template <typename T>
struct Rows {
  const T* data;
  int64_t ld;
};

// Of queries, keys and values; gradient is that of `in`, and may be where they lie already.
template <typename T>
struct QkBackward {
  Qk<T> forward;
  Rows<T> q, k, v;
  T* gradient;
  int64_t ld;
  float *dq_weight, *dk_weight, *partial;  // partial: parts_of(tokens, part_rows(tokens)) * 2 * width
};

template <typename T>
struct EmbeddingBackward {
  const int32_t* sorted;
  const int64_t* order;
  int64_t count;
  const T* dx;
  int64_t ld, columns;
  float* dtable;
};

template <typename T>
struct CrossEntropy {
  T* logits;
  int64_t rows, vocabulary;
  const int32_t* targets;
  const float* weights;
  float softcap;
  bool gradient;
  double* nll;
};

// Every query token attends to the first keys[token] entries of cache row cache_row[token], which hold its own already.
template <typename T>
struct CachedAttention {
  int64_t tokens, n_head, n_kv_head, width, capacity;
  const int32_t *cache_row, *keys;  // [tokens]
  const T *q, *cache_k, *cache_v;   // caches: [rows, n_kv_head, capacity, width]
  int64_t q_ld;
  T* out;
  int64_t out_ld;
};

// Copies the keys (or values) of new tokens to their places: token i is entry keys[i] - 1 of its cache row.
template <typename T>
struct CacheStore {
  int64_t tokens, n_kv_head, width, capacity;
  const int32_t *cache_row, *keys;
  const T* from;
  int64_t ld;
  T* cache;
};

template <typename T>
struct Table {
  void (*rms_norm)(Stream, const RmsNorm<T>&);
  void (*rms_norm_backward)(Stream, const RmsNormBackward<T>&);
  void (*qk)(Stream, const Qk<T>&, T* out, int64_t out_ld);
  void (*qk_backward)(Stream, const QkBackward<T>&);
  void (*swiglu)(Stream, const T* fc, int64_t rows, int64_t width, T* h);
  void (*swiglu_backward)(Stream, T* fc, int64_t rows, int64_t width, T* h);
  void (*embedding)(Stream, const int32_t* tokens, int64_t count, const T* table, int64_t columns, T* x);
  void (*embedding_backward)(Stream, const EmbeddingBackward<T>&);
  void (*cross_entropy)(Stream, const CrossEntropy<T>&);
  void (*cache_store)(Stream, const CacheStore<T>&);
  void (*cached_attention)(Stream, const CachedAttention<T>&);
};

// Float32 buffers of the optimizer.
struct OptimizerTable {
  void (*adamw)(Stream, const AdamWRule&, int64_t count, float* p, float* g, float* m, float* v, bool clear);
  void (*squared_norm)(Stream, const float* values, int64_t count, double* partial);  // partial: parts_of(count, kNormStretch)
};

constexpr int64_t kNormStretch = 8192;  // elements of one partial sum of squares

PICOCHAT_DEVICE int64_t parts_of(int64_t count, int64_t size) { return (count + size - 1) / size; }

// The rows whose weight gradients are added up before they meet the others': at most 512 parts, four for each
// multiprocessor of a large GPU, and no fewer rows than a block has warps.
PICOCHAT_DEVICE int64_t part_rows(int64_t rows) { return rows > 8 * 512 ? parts_of(rows, 512) : 8; }

// f(std::integral_constant<int, N>), N the elements of a 16-byte access if every row of `columns` elements divides into
// them, else 1: what a kernel reads at once.
template <typename T, typename F>
void with_pack(int64_t columns, F f) {
  constexpr int kPack = 16 / sizeof(T);
  if (columns % kPack == 0)
    f(std::integral_constant<int, kPack>());
  else
    f(std::integral_constant<int, 1>());
}

// f of the first of the choices, as an integral constant, that is not below `wanted`; false when there is none.
template <int... Choices, typename F>
bool with_least(int64_t wanted, F f) {
  bool found = false;
  auto attempt = [&](auto choice) {
    if (found || wanted > choice()) return;
    found = true;
    f(choice);
  };
  (attempt(std::integral_constant<int, Choices>()), ...);
  return found;
}

// What these kernels hold of a row in registers is bounded; wider rows are for the plain operations. A warp with 16
// packs in each lane; a head whose halves are a pack for each lane, or eight elements.
template <typename T>
bool takes_norm(int64_t columns) {
  bool takes = false;
  with_pack<T>(columns, [&](auto n) { takes = columns <= 32 * 16 * n(); });
  return takes;
}
template <typename T>
bool takes_head(int64_t width) {
  bool takes = false;
  with_pack<T>(width / 2, [&](auto n) { takes = width % 2 == 0 && width / 2 <= 32 * (n() == 1 ? 8 : n()); });
  return takes;
}

template <typename T>
const Table<T>& serial_table();
const OptimizerTable& serial_optimizer_table();
#ifdef PICOCHAT_CUDA
template <typename T>
const Table<T>& cuda_table();
const OptimizerTable& cuda_optimizer_table();
#endif

}  // namespace picochat::model::kernels::device
