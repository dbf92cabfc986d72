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
constexpr int kQkLanes = 8;
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

// Each warp adds the weight gradients of its rows in shared memory of its own; the block adds the warps' in order.
template <int N, typename T>
__global__ void rms_norm_backward_kernel(RmsNormBackward<T> a) {
  extern __shared__ float shared[];
  const int warps = blockDim.x / kWarp, warp = threadIdx.x / kWarp;
  for (int64_t i = threadIdx.x; i < warps * a.columns; i += blockDim.x) shared[i] = 0;
  __syncthreads();
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kNormRows;
  const int64_t end = a.rows < begin + kNormRows ? a.rows : begin + kNormRows;
  for (int64_t r = begin + warp; r < end; r += warps)
    rms_norm_row_backward<N>(Lanes<kWarp>(), a.dy + r * a.columns, a.x + r * a.columns, a.weight, a.rstd[r], a.columns, a.accumulate,
                             a.dx + r * a.columns, shared + warp * a.columns);
  __syncthreads();
  for (int64_t i = threadIdx.x; i < a.columns; i += blockDim.x) {
    float sum = 0;
    for (int w = 0; w < warps; ++w) sum += shared[w * a.columns + i];
    a.partial[blockIdx.x * a.columns + i] = sum;
  }
}

template <typename T>
void rms_norm_backward(Stream stream, const RmsNormBackward<T>& a) {
  const int64_t row_bytes = a.columns * static_cast<int64_t>(sizeof(float));
  if (row_bytes > kSharedBytes) throw std::runtime_error("RMSNorm on a GPU takes at most 12288 columns");
  const int64_t warps = std::clamp<int64_t>(kSharedBytes / row_bytes, 1, kThreads / kWarp);
  const unsigned grid = blocks(a.rows, kNormRows), threads = static_cast<unsigned>(warps * kWarp);
  const auto bytes = static_cast<size_t>(warps * row_bytes);
  with_pack<T>(a.columns, [&](auto n) { rms_norm_backward_kernel<n()><<<grid, threads, bytes, cuda(stream)>>>(a); });
  check_launch("rms_norm_backward");
  add_partials(stream, a.partial, parts_of(a.rows, kNormRows), a.columns, 0, a.columns, a.dweight);
}

// --- queries and keys: eight lanes for each head ---------------------------------------------

template <typename T>
struct HeadOf {
  const T* in;
  const float *weight, *cosine, *sine;
};

template <typename T>
__device__ HeadOf<T> head_of(const Qk<T>& a, int64_t token, int64_t head) {
  const int64_t angle = a.cosine ? a.positions[token] * (a.width / 2) : 0;
  return {a.in + token * a.in_ld + head * a.width, head < a.n_head ? a.q_weight : a.k_weight, a.cosine ? a.cosine + angle : nullptr,
          a.sine + angle};
}

template <int N, typename T>
__global__ void qk_kernel(Qk<T> a, T* out, int64_t out_ld) {
  const int64_t heads = a.n_head + a.n_kv_head, count = a.tokens * heads;
  const int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / kQkLanes;
  if (i >= count) return;
  const int64_t token = i / heads, head = i % heads;
  const HeadOf<T> h = head_of(a, token, head);
  qk_head<N>(Lanes<kQkLanes>(), h.in, h.weight, h.cosine, h.sine, a.width, a.eps, out + token * out_ld + head * a.width, a.rstd + i);
}

template <typename T>
void qk(Stream stream, const Qk<T>& a, T* out, int64_t out_ld) {
  const unsigned grid = blocks(a.tokens * (a.n_head + a.n_kv_head), kThreads / kQkLanes);
  with_pack<T>(a.width / 2, [&](auto n) { qk_kernel<n()><<<grid, kThreads, 0, cuda(stream)>>>(a, out, out_ld); });
  check_launch("qk");
}

// A block takes kQkTokens tokens; each team adds the weight gradients of its heads in shared memory of its own.
template <int N, typename T>
__global__ void qk_backward_kernel(QkBackward<T> b) {
  extern __shared__ float shared[];
  const Qk<T>& a = b.forward;
  const int64_t heads = a.n_head + a.n_kv_head, width = a.width;
  const int teams = blockDim.x / kQkLanes, team = threadIdx.x / kQkLanes;
  float* mine = shared + team * 2 * width;
  for (int64_t i = threadIdx.x; i < teams * 2 * width; i += blockDim.x) shared[i] = 0;
  __syncthreads();
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kQkTokens * heads;
  const int64_t end = begin + kQkTokens * heads < a.tokens * heads ? begin + kQkTokens * heads : a.tokens * heads;
  for (int64_t i = begin + team; i < end; i += teams) {
    const int64_t token = i / heads, head = i % heads;
    const HeadOf<T> h = head_of(a, token, head);
    qk_head_backward<N>(Lanes<kQkLanes>(), h.in, h.weight, h.cosine, h.sine, h.weight ? a.rstd[i] : 0.0f, width,
                        b.gradient + token * b.ld + head * width, mine + (head < a.n_head ? 0 : width));
  }
  if (!a.q_weight) return;
  __syncthreads();
  for (int64_t i = threadIdx.x; i < 2 * width; i += blockDim.x) {
    float sum = 0;
    for (int t = 0; t < teams; ++t) sum += shared[t * 2 * width + i];
    b.partial[blockIdx.x * 2 * width + i] = sum;
  }
}

template <typename T>
void qk_backward(Stream stream, const QkBackward<T>& b) {
  const Qk<T>& a = b.forward;
  const int64_t team_bytes = 2 * a.width * static_cast<int64_t>(sizeof(float));
  const int64_t warps = std::clamp<int64_t>(kSharedBytes / (team_bytes * (kWarp / kQkLanes)), 1, kThreads / kWarp);
  const unsigned grid = blocks(a.tokens, kQkTokens), threads = static_cast<unsigned>(warps * kWarp);
  const auto bytes = static_cast<size_t>(warps * (kWarp / kQkLanes) * team_bytes);
  with_pack<T>(a.width / 2, [&](auto n) { qk_backward_kernel<n()><<<grid, threads, bytes, cuda(stream)>>>(b); });
  check_launch("qk_backward");
  if (!a.q_weight) return;
  add_partials(stream, b.partial, parts_of(a.tokens, kQkTokens), 2 * a.width, 0, a.width, b.dq_weight);
  add_partials(stream, b.partial, parts_of(a.tokens, kQkTokens), 2 * a.width, a.width, a.width, b.dk_weight);
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
