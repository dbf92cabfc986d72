// The launches: who works on which row. The arithmetic is in bodies.hpp.
#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>

#include <cuda_runtime.h>

#include "model/kernels/device/bodies.hpp"
#include "model/kernels/device/table.hpp"

namespace picochat::model::kernels::device {
namespace {

constexpr int kWarp = 32;
constexpr int kThreads = 256;
constexpr int64_t kSharedBytes = 48 * 1024;

cudaStream_t cuda(Stream stream) { return static_cast<cudaStream_t>(stream); }

void check_launch(const char* kernel) {
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) throw std::runtime_error(std::string("the CUDA kernel ") + kernel + " was not launched: " + cudaGetErrorString(error));
}

unsigned blocks(int64_t count, int64_t per_block) { return static_cast<unsigned>(std::max<int64_t>(1, parts_of(count, per_block))); }

__global__ void add_partials_kernel(const float* partial, int64_t parts, int64_t columns, int64_t first, int64_t count, float* sums) {
  __shared__ float shares[kWays][kWarp];
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kWarp + threadIdx.x;
  shares[threadIdx.y][threadIdx.x] = i < count ? partial_share(partial, parts, columns, first + i, threadIdx.y) : 0.0f;
  __syncthreads();
  if (threadIdx.y != 0 || i >= count) return;
  float sum = 0;
  for (int way = 0; way < kWays; ++way) sum += shares[way][threadIdx.x];
  sums[i] += sum;
}

void add_partials(Stream stream, const float* partial, int64_t parts, int64_t columns, int64_t first, int64_t count, float* sums) {
  add_partials_kernel<<<blocks(count, kWarp), dim3(kWarp, kWays), 0, cuda(stream)>>>(partial, parts, columns, first, count, sums);
  check_launch("add_partials");
}

// --- norm: a warp for each row ----------------------------------------------------------------

template <int N, typename T>
__global__ void rms_norm_kernel(RmsNorm<T> a) {
  const int64_t r = static_cast<int64_t>(blockIdx.x) * (blockDim.x / kWarp) + threadIdx.x / kWarp;
  if (r >= a.rows) return;
  rms_norm_row<N>(Lanes<kWarp>(), a.x + r * a.columns, a.weight, a.eps, a.columns, a.y + r * a.columns, a.rstd + r,
                  a.copy ? a.copy + r * a.columns : nullptr);
}

template <typename T>
void rms_norm(Stream stream, const RmsNorm<T>& a) {
  const unsigned grid = blocks(a.rows, kThreads / kWarp);
  with_pack<T>(a.columns, [&](auto n) { rms_norm_kernel<n()><<<grid, kThreads, 0, cuda(stream)>>>(a); });
  check_launch("rms_norm");
}

// The warps of a block add their sums in shared memory, one after another; `at` is where pack p of a lane belongs.
template <int N, int P, typename At>
__device__ void add_sums_in_order(const Sums<N, P>& sums, bool holds, int64_t columns, float* shared, At at) {
  for (int warp = 0; warp < static_cast<int>(blockDim.x / kWarp); ++warp) {
    if (threadIdx.x / kWarp == warp && holds)
      PICOCHAT_UNROLL
      for (int p = 0; p < P; ++p) {
        const int64_t i = at(p);
        if (i >= columns) continue;
        PICOCHAT_UNROLL
        for (int n = 0; n < N; ++n) shared[i + n] = warp == 0 ? sums.value[p][n] : shared[i + n] + sums.value[p][n];
      }
    __syncthreads();
  }
}

// A warp for each row; a block adds up the weight gradients of part_rows rows.
template <int N, int P, typename T>
__global__ void __launch_bounds__(kThreads, P <= 3 ? 4 : P <= 8 ? 2 : 1) rms_norm_backward_kernel(RmsNormBackward<T> a, int64_t part) {
  extern __shared__ float shared[];
  const Lanes<kWarp> team;
  Sums<N, P> sums;
  sums.clear();
  const int64_t begin = blockIdx.x * part, end = a.rows < begin + part ? a.rows : begin + part;
  for (int64_t r = begin + threadIdx.x / kWarp; r < end; r += kThreads / kWarp)
    rms_norm_row_backward(team, a.dy + r * a.columns, a.x + r * a.columns, a.weight, a.rstd[r], a.columns, a.accumulate, a.dx + r * a.columns, sums);
  add_sums_in_order(sums, true, a.columns, shared, [&](int p) { return pack_at<N>(team, p); });
  for (int64_t i = threadIdx.x; i < a.columns; i += kThreads) a.partial[blockIdx.x * a.columns + i] = shared[i];
}

template <typename T>
void rms_norm_backward(Stream stream, const RmsNormBackward<T>& a) {
  const int64_t part = part_rows(a.rows), parts = parts_of(a.rows, part);
  const size_t bytes = static_cast<size_t>(a.columns) * sizeof(float);
  with_pack<T>(a.columns, [&](auto n) {
    with_least<1, 2, 3, 4, 6, 8, 16>(parts_of(a.columns, kWarp * n()), [&](auto packs) {
      rms_norm_backward_kernel<n(), packs()><<<static_cast<unsigned>(parts), kThreads, bytes, cuda(stream)>>>(a, part);
    });
  });
  check_launch("rms_norm_backward");
  add_partials(stream, a.partial, parts, a.columns, 0, a.columns, a.dweight);
}

// --- queries and keys: a warp for each token, a few lanes for each head -----------------------

template <int N, int P, typename T, typename Team>
__device__ void load_rotation_of(const Team& team, const Qk<T>& a, int64_t token, Rotation<N, P>& rotation) {
  const int64_t angle = a.cosine ? a.positions[token] * (a.width / 2) : 0;
  load_rotation(team, a.cosine ? a.cosine + angle : nullptr, a.sine + angle, a.width / 2, rotation);
}

template <int N, int L, int P, typename T>
__global__ void __launch_bounds__(kThreads, P == 1 ? 3 : 1) qk_kernel(Qk<T> a, T* out, int64_t out_ld) {
  const int64_t token = static_cast<int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp, heads = a.n_head + a.n_kv_head;
  if (token >= a.tokens) return;
  const Lanes<L> team;
  Rotation<N, P> rotation;
  load_rotation_of(team, a, token, rotation);
  for (int64_t head = threadIdx.x % kWarp / L; head < heads; head += kWarp / L)
    qk_head(team, a.in + token * a.in_ld + head * a.width, head < a.n_head ? a.q_weight : a.k_weight, rotation, a.width, a.eps, out + token * out_ld + head * a.width,
            a.rstd + token * heads + head);
}

// f(N, lanes of a head, packs of a lane)
template <typename T, typename F>
void with_lanes(int64_t half, F f) {
  with_pack<T>(half, [&](auto n) {
    if (with_least<4, 8, 16, 32>(half / n(), [&](auto lanes) { f(n, lanes, std::integral_constant<int, 1>()); })) return;
    if constexpr (n() == 1) f(n, std::integral_constant<int, kWarp>(), std::integral_constant<int, 8>());
  });
}

template <typename T>
void qk(Stream stream, const Qk<T>& a, T* out, int64_t out_ld) {
  with_lanes<T>(a.width / 2, [&](auto n, auto lanes, auto packs) {
    qk_kernel<n(), lanes(), packs()><<<blocks(a.tokens, kThreads / kWarp), kThreads, 0, cuda(stream)>>>(a, out, out_ld);
  });
  check_launch("qk");
}

// The teams of a warp add their sums, and the first of them holds the result.
template <int N, int P, int L>
__device__ void add_teams(Sums<N, P>& sums) {
  PICOCHAT_UNROLL
  for (int step = L; step < kWarp; step *= 2)
    PICOCHAT_UNROLL
    for (int p = 0; p < P; ++p)
      PICOCHAT_UNROLL
      for (int n = 0; n < N; ++n) sums.value[p][n] += __shfl_xor_sync(0xFFFFFFFFu, sums.value[p][n], step);
}

template <int N, int L, int P, typename T>
__global__ void __launch_bounds__(kThreads) qk_backward_kernel(QkBackward<T> b, int64_t part) {
  extern __shared__ float shared[];
  const Qk<T>& a = b.forward;
  const int64_t heads = a.n_head + a.n_kv_head, half = a.width / 2, begin = blockIdx.x * part, end = a.tokens < begin + part ? a.tokens : begin + part;
  const bool copies = b.v.data != b.gradient + heads * a.width;
  const Lanes<L> team;
  Sums<N, P> q_first, q_second, k_first, k_second;
  q_first.clear(), q_second.clear(), k_first.clear(), k_second.clear();
  for (int64_t token = begin + threadIdx.x / kWarp; token < end; token += kThreads / kWarp) {
    Rotation<N, P> rotation;
    load_rotation_of(team, a, token, rotation);
    const T* in = a.in + token * a.in_ld;
    T* gradient = b.gradient + token * b.ld;
    const float* rstd = a.rstd + token * heads;
    int64_t head = threadIdx.x % kWarp / L;
    for (; head < a.n_head; head += kWarp / L)
      qk_head_backward(team, in + head * a.width, a.q_weight, rotation, a.q_weight ? rstd[head] : 0.0f, a.width, b.q.data + token * b.q.ld + head * a.width,
                       gradient + head * a.width, q_first, q_second);
    for (; head < heads; head += kWarp / L)
      qk_head_backward(team, in + head * a.width, a.k_weight, rotation, a.k_weight ? rstd[head] : 0.0f, a.width, b.k.data + token * b.k.ld + (head - a.n_head) * a.width,
                       gradient + head * a.width, k_first, k_second);
    if (copies) copy_row<N>(Lanes<kWarp>(), b.v.data + token * b.v.ld, a.n_kv_head * a.width, gradient + heads * a.width);
  }
  if (!a.q_weight) return;
  const bool holds = threadIdx.x % kWarp < L;
  auto finish = [&](Sums<N, P>& sums, int64_t first) {
    __syncwarp();
    add_teams<N, P, L>(sums);
    add_sums_in_order(sums, holds, half, shared + first, [&](int p) { return pack_at<N>(team, p); });
  };
  finish(q_first, 0);
  finish(q_second, half);
  finish(k_first, 2 * half);
  finish(k_second, 3 * half);
  for (int64_t i = threadIdx.x; i < 2 * a.width; i += kThreads) b.partial[blockIdx.x * 2 * a.width + i] = shared[i];
}

template <typename T>
void qk_backward(Stream stream, const QkBackward<T>& b) {
  const Qk<T>& a = b.forward;
  const int64_t part = part_rows(a.tokens), parts = parts_of(a.tokens, part);
  const size_t bytes = static_cast<size_t>(2 * a.width) * sizeof(float);
  with_lanes<T>(a.width / 2, [&](auto n, auto lanes, auto packs) {
    qk_backward_kernel<n(), lanes(), packs()><<<static_cast<unsigned>(parts), kThreads, bytes, cuda(stream)>>>(b, part);
  });
  check_launch("qk_backward");
  if (!a.q_weight) return;
  add_partials(stream, b.partial, parts, 2 * a.width, 0, a.width, b.dq_weight);
  add_partials(stream, b.partial, parts, 2 * a.width, a.width, a.width, b.dk_weight);
}

// --- element by element -----------------------------------------------------------------------

template <int N, typename T>
__global__ void swiglu_kernel(const T* fc, int64_t rows, int64_t width, T* h) {
  const int64_t packs = width / N, i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows * packs) return;
  const int64_t r = i / packs, column = i % packs * N;
  swiglu_pack<N>(fc + 2 * r * width + column, fc + (2 * r + 1) * width + column, h + r * width + column);
}

template <int N, typename T>
__global__ void swiglu_backward_kernel(T* fc, int64_t rows, int64_t width, T* h) {
  const int64_t packs = width / N, i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows * packs) return;
  const int64_t r = i / packs, column = i % packs * N;
  swiglu_backward_pack<N>(fc + 2 * r * width + column, fc + (2 * r + 1) * width + column, h + r * width + column);
}

template <typename T>
void swiglu(Stream stream, const T* fc, int64_t rows, int64_t width, T* h) {
  with_pack<T>(width, [&](auto n) { swiglu_kernel<n()><<<blocks(rows * width / n(), kThreads), kThreads, 0, cuda(stream)>>>(fc, rows, width, h); });
  check_launch("swiglu");
}

template <typename T>
void swiglu_backward(Stream stream, T* fc, int64_t rows, int64_t width, T* h) {
  with_pack<T>(width, [&](auto n) { swiglu_backward_kernel<n()><<<blocks(rows * width / n(), kThreads), kThreads, 0, cuda(stream)>>>(fc, rows, width, h); });
  check_launch("swiglu_backward");
}

// --- embedding --------------------------------------------------------------------------------

template <int N, typename T>
__global__ void embedding_kernel(const int32_t* tokens, int64_t count, const T* table, int64_t columns, T* x) {
  const int64_t r = static_cast<int64_t>(blockIdx.x) * (blockDim.x / kWarp) + threadIdx.x / kWarp;
  if (r < count) copy_row<N>(Lanes<kWarp>(), table + tokens[r] * columns, columns, x + r * columns);
}

template <typename T>
void embedding(Stream stream, const int32_t* tokens, int64_t count, const T* table, int64_t columns, T* x) {
  const unsigned grid = blocks(count, kThreads / kWarp);
  with_pack<T>(columns, [&](auto n) { embedding_kernel<n()><<<grid, kThreads, 0, cuda(stream)>>>(tokens, count, table, columns, x); });
  check_launch("embedding");
}

template <int N, typename T>
__global__ void embedding_backward_kernel(EmbeddingBackward<T> a) {
  __shared__ double unused[kWarp];
  embedding_backward_run<N>(Block{unused}, a.sorted, a.order, a.count, blockIdx.x, a.dx, a.ld, a.columns, a.dtable);
}

template <typename T>
void embedding_backward(Stream stream, const EmbeddingBackward<T>& a) {
  constexpr unsigned kTeam = 128;
  with_pack<T>(a.columns, [&](auto n) { embedding_backward_kernel<n()><<<static_cast<unsigned>(a.count), kTeam, 0, cuda(stream)>>>(a); });
  check_launch("embedding_backward");
}

// --- cross-entropy: a block for each row ------------------------------------------------------

template <int N, typename T>
__global__ void cross_entropy_kernel(CrossEntropy<T> a) {
  __shared__ double shared[kWarp];
  const int64_t r = blockIdx.x;
  cross_entropy_row<N>(Block{shared}, a.logits + r * a.vocabulary, a.targets[r], a.weights[r], a.softcap, a.gradient, a.vocabulary, a.nll + r);
}

template <typename T>
void cross_entropy(Stream stream, const CrossEntropy<T>& a) {
  const auto rows = static_cast<unsigned>(a.rows);
  const unsigned threads = a.vocabulary >= 4096 ? 512 : 128;
  with_pack<T>(a.vocabulary, [&](auto n) { cross_entropy_kernel<n()><<<rows, threads, 0, cuda(stream)>>>(a); });
  check_launch("cross_entropy");
}

// --- decoding ---------------------------------------------------------------------------------

template <typename T>
__global__ void cache_store_kernel(CacheStore<T> a) {
  const int64_t token = blockIdx.x, head = blockIdx.y;
  copy_row<1>(Lanes<kWarp>(), a.from + token * a.ld + head * a.width, a.width,
              a.cache + ((a.cache_row[token] * a.n_kv_head + head) * a.capacity + a.keys[token] - 1) * a.width);
}

template <typename T>
void cache_store(Stream stream, const CacheStore<T>& a) {
  cache_store_kernel<<<dim3(static_cast<unsigned>(a.tokens), static_cast<unsigned>(a.n_kv_head)), kWarp, 0, cuda(stream)>>>(a);
  check_launch("cache_store");
}

template <typename T>
__global__ void cached_attention_kernel(CachedAttention<T> a) {
  extern __shared__ float scores[];
  __shared__ double shared[kWarp];
  const int64_t token = blockIdx.x, head = blockIdx.y;
  const int64_t cache = (a.cache_row[token] * a.n_kv_head + head / (a.n_head / a.n_kv_head)) * a.capacity * a.width;
  cached_attention_head(Block{shared}, a.q + token * a.q_ld + head * a.width, a.cache_k + cache, a.cache_v + cache, a.keys[token], a.width,
                        scores, a.out + token * a.out_ld + head * a.width);
}

template <typename T>
void cached_attention(Stream stream, const CachedAttention<T>& a) {
  const auto bytes = static_cast<size_t>(a.capacity) * sizeof(float);
  if (bytes > kSharedBytes) {  // contexts beyond 12,288 tokens: ask for more than the default
    const cudaError_t error = cudaFuncSetAttribute(cached_attention_kernel<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes));
    if (error != cudaSuccess) throw std::runtime_error("decoding on this GPU is limited by its shared memory: the context is too long");
  }
  cached_attention_kernel<<<dim3(static_cast<unsigned>(a.tokens), static_cast<unsigned>(a.n_head)), 128, bytes, cuda(stream)>>>(a);
  check_launch("cached_attention");
}

// --- optimizer --------------------------------------------------------------------------------

__global__ void adamw_kernel(AdamWRule rule, int64_t count, float* p, float* g, float* m, float* v, bool clear) {
  const int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * 4;
  if (i + 4 <= count)
    adamw_pack<4>(rule, p + i, g + i, m + i, v + i, clear);
  else
    for (int64_t j = i; j < count; ++j) adamw_pack<1>(rule, p + j, g + j, m + j, v + j, clear);
}

void adamw(Stream stream, const AdamWRule& rule, int64_t count, float* p, float* g, float* m, float* v, bool clear) {
  adamw_kernel<<<blocks(count, 4 * kThreads), kThreads, 0, cuda(stream)>>>(rule, count, p, g, m, v, clear);
  check_launch("adamw");
}

__global__ void squared_norm_kernel(const float* values, int64_t count, double* partial) {
  __shared__ double shared[kWarp];
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kNormStretch, left = count - begin;
  const double sum = squared_norm_stretch(Block{shared}, values + begin, left < kNormStretch ? left : kNormStretch);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

void squared_norm(Stream stream, const float* values, int64_t count, double* partial) {
  squared_norm_kernel<<<blocks(count, kNormStretch), kThreads, 0, cuda(stream)>>>(values, count, partial);
  check_launch("squared_norm");
}

template <typename T>
Table<T> make_table() {
  return {rms_norm<T>,   rms_norm_backward<T>,  qk<T>,            qk_backward<T>, swiglu<T>,          swiglu_backward<T>,
          embedding<T>, embedding_backward<T>, cross_entropy<T>, cache_store<T>, cached_attention<T>};
}

}  // namespace

template <>
const Table<float>& cuda_table<float>() {
  static const Table<float> table = make_table<float>();
  return table;
}
template <>
const Table<Bf16>& cuda_table<Bf16>() {
  static const Table<Bf16> table = make_table<Bf16>();
  return table;
}
const OptimizerTable& cuda_optimizer_table() {
  static const OptimizerTable table{adamw, squared_norm};
  return table;
}

}  // namespace picochat::model::kernels::device
