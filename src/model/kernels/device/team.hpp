// What the kernels of a GPU are written against, so that the CPU can run the very same arithmetic serially: a team of
// threads that share a row, sums over the team, and packs of neighbouring elements that are read and written at once.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#include <cuda_bf16.h>
#define PICOCHAT_DEVICE __host__ __device__ __forceinline__
#else
#define PICOCHAT_DEVICE inline
#endif

// Before a loop over what a thread holds in registers: an index that is not known when it is compiled would put the
// values into memory.
#ifdef __CUDA_ARCH__
#define PICOCHAT_UNROLL _Pragma("unroll")
#else
#define PICOCHAT_UNROLL
#endif

namespace picochat::model::kernels::device {

// bfloat16 as it lies in memory: the upper half of a float32.
struct Bf16 {
  uint16_t bits;
};

PICOCHAT_DEVICE float to_float(float value) { return value; }
PICOCHAT_DEVICE float to_float(Bf16 value) {
  const uint32_t bits = static_cast<uint32_t>(value.bits) << 16;
  float result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

PICOCHAT_DEVICE void from_float(float value, float& out) { out = value; }
PICOCHAT_DEVICE void from_float(float value, Bf16& out) {  // to the nearest, ties to even; NaN stays NaN
#ifdef __CUDA_ARCH__
  out.bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
#else
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value != value)
    out.bits = 0x7FC0;
  else
    out.bits = static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
#endif
}

// N neighbouring elements; N > 1 needs addresses that are multiples of N elements.
template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
  T values[N];
};

template <int N, typename T>
PICOCHAT_DEVICE void load(const T* from, float (&to)[N]) {
#ifdef __CUDA_ARCH__
  const Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(from);
#else
  Pack<T, N> pack;
  memcpy(&pack, from, sizeof pack);
#endif
  for (int n = 0; n < N; ++n) to[n] = to_float(pack.values[n]);
}

template <int N, typename T>
PICOCHAT_DEVICE void store(const float (&from)[N], T* to) {
  Pack<T, N> pack;
  for (int n = 0; n < N; ++n) from_float(from[n], pack.values[n]);
#ifdef __CUDA_ARCH__
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
#else
  memcpy(to, &pack, sizeof pack);
#endif
}

// A team of one: how the CPU runs a kernel's body.
struct Serial {
  PICOCHAT_DEVICE int64_t rank() const { return 0; }
  PICOCHAT_DEVICE int64_t size() const { return 1; }
  PICOCHAT_DEVICE float sum(float value) const { return value; }
  PICOCHAT_DEVICE double sum(double value) const { return value; }
  PICOCHAT_DEVICE float max(float value) const { return value; }
  PICOCHAT_DEVICE void sync() const {}
};

#ifdef __CUDACC__

// Neighbouring lanes of a warp, which wait for each other and for no one else.
template <int Width>
struct Lanes {
  __device__ unsigned mask() const { return Width == 32 ? 0xFFFFFFFFu : ((1u << (Width % 32)) - 1u) << (threadIdx.x % 32 / Width * Width); }
  __device__ int64_t rank() const { return threadIdx.x % Width; }
  __device__ int64_t size() const { return Width; }
  template <typename V>
  __device__ V sum(V value) const {
    for (int step = Width / 2; step > 0; step /= 2) value += __shfl_xor_sync(mask(), value, step);
    return value;
  }
  __device__ float max(float value) const {
    for (int step = Width / 2; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(mask(), value, step));
    return value;
  }
  __device__ void sync() const { __syncwarp(mask()); }
};

// A whole block of a multiple of 32 threads.
struct Block {
  double* shared;  // 32 values
  __device__ int64_t rank() const { return threadIdx.x; }
  __device__ int64_t size() const { return blockDim.x; }
  __device__ float sum(float value) const { return reduce(value, Add()); }
  __device__ double sum(double value) const { return reduce(value, Add()); }
  __device__ float max(float value) const { return reduce(value, Max()); }
  __device__ void sync() const { __syncthreads(); }

 private:
  struct Add {
    template <typename V>
    __device__ V operator()(V a, V b) const {
      return a + b;
    }
  };
  struct Max {
    __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
  };
  template <typename V, typename Combine>
  __device__ V reduce(V value, Combine combine) const {
    for (int step = 16; step > 0; step /= 2) value = combine(value, __shfl_xor_sync(0xFFFFFFFFu, value, step));
    V* parts = reinterpret_cast<V*>(shared);
    __syncthreads();  // earlier readers of the shared values are done
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
    __syncthreads();
    V result = parts[0];
    for (int warp = 1; warp < static_cast<int>(blockDim.x / 32); ++warp) result = combine(result, parts[warp]);
    return result;
  }
};

#endif

}  // namespace picochat::model::kernels::device
