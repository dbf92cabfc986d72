// Explicit vector arithmetic for the kernels. Included once per instruction level, inside that
// level's namespace: everything is static, so that no function compiled for AVX-512 can be picked
// by the linker for a caller that runs on an older processor.
//
// Sums run over a fixed lane structure (64-byte packs, then a fixed tree, then the tail), so a
// value never depends on how a loop around it is cut.

template <typename T>
struct Pack {
  typedef T Vector __attribute__((vector_size(64)));
  typedef T InMemory __attribute__((vector_size(64), aligned(sizeof(T)), may_alias));
  static constexpr int64_t kLanes = 64 / sizeof(T);
};

template <typename T>
static inline typename Pack<T>::Vector load(const T* from) {
  return *reinterpret_cast<const typename Pack<T>::InMemory*>(from);
}

// The lanes are added in a fixed tree: halves, then halves of the halves.
template <typename T>
static inline T horizontal_sum(typename Pack<T>::Vector v) {
  typedef T Half __attribute__((vector_size(32)));
  typedef T Quarter __attribute__((vector_size(16)));
  Half half[2];
  __builtin_memcpy(half, &v, sizeof v);
  half[0] += half[1];
  Quarter quarter[2];
  __builtin_memcpy(quarter, half, sizeof half[0]);
  const Quarter q = quarter[0] + quarter[1];
  if constexpr (sizeof(T) == 4)
    return (q[0] + q[2]) + (q[1] + q[3]);
  else
    return q[0] + q[1];
}

template <typename T>
static inline T dot(const T* a, const T* b, int64_t count) {
  constexpr int64_t kLanes = Pack<T>::kLanes;
  typename Pack<T>::Vector sum = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) sum += load(a + i) * load(b + i);
  T total = horizontal_sum<T>(sum);
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

static inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t blocks_of(int64_t count, int64_t block) { return (count + block - 1) / block; }

// A loop is only made of vectors when everything that it calls is a part of it.
#define PICOCHAT_IN_LOOPS [[gnu::always_inline]] static inline

// exp(x) - 1 = 2^n * (e^f - 1) + (2^n - 1) with |f| <= ln(2)/2. The polynomial is Cephes' expf (Moshier); the
// result is within 2 ulp, and NaN stays NaN so that a diverging run is seen.
PICOCHAT_IN_LOOPS float exp_minus_one(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float n = __builtin_nearbyintf(x * 1.44269504089f);
  float f = x - n * 0.693359375f;
  f = f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f;
  const uint32_t bits = (static_cast<uint32_t>(static_cast<int32_t>(n)) + 127u) << 23;
  float scale;
  __builtin_memcpy(&scale, &bits, 4);
  return scale * p + (scale - 1.0f);
}

PICOCHAT_IN_LOOPS float exponential(float x) {
  x = x < -87.0f ? -87.0f : x;
  x = x > 88.0f ? 88.0f : x;
  const float n = __builtin_nearbyintf(x * 1.44269504089f);
  float f = x - n * 0.693359375f;
  f = f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f + 1.0f;
  const uint32_t bits = (static_cast<uint32_t>(static_cast<int32_t>(n)) + 127u) << 23;
  float scale;
  __builtin_memcpy(&scale, &bits, 4);
  return p * scale;
}

PICOCHAT_IN_LOOPS float hyperbolic_tangent(float x) {
  x = x < -9.0f ? -9.0f : x;
  x = x > 9.0f ? 9.0f : x;
  const float e = exp_minus_one(2.0f * x);
  return e / (e + 2.0f);
}

// The rational minimax approximation of erf on [-4, 4] that Eigen and XLA use.
PICOCHAT_IN_LOOPS float error_function(float x) {
  x = x < -4.0f ? -4.0f : x;
  x = x > 4.0f ? 4.0f : x;
  const float x2 = x * x;
  float p = -2.72614225801306e-10f;
  p = p * x2 + 2.77068142495902e-08f;
  p = p * x2 - 2.10102402082508e-06f;
  p = p * x2 - 5.69250639462346e-05f;
  p = p * x2 - 7.34990630326855e-04f;
  p = p * x2 - 2.95459980854025e-03f;
  p = p * x2 - 1.60960333262415e-02f;
  float q = -1.45660718464996e-05f;
  q = q * x2 - 2.13374055278905e-04f;
  q = q * x2 - 1.68282697438203e-03f;
  q = q * x2 - 7.37332916720468e-03f;
  q = q * x2 - 1.42647390514189e-02f;
  return x * p / q;
}

// Double precision exists for tests, which check the same templates against finite differences and
// float64 references: the library functions will do.
static inline double exponential(double x) { return __builtin_exp(x); }
static inline double hyperbolic_tangent(double x) { return __builtin_tanh(x); }
static inline double error_function(double x) { return __builtin_erf(x); }
static inline float logarithm(float x) { return __builtin_logf(x); }
static inline double logarithm(double x) { return __builtin_log(x); }
static inline float square_root(float x) { return __builtin_sqrtf(x); }
static inline double square_root(double x) { return __builtin_sqrt(x); }
