// Soft cap and cross-entropy over rows of logits, with the gradient left in their place.

template <typename T>
static inline void soft_cap_row(T* __restrict a, int64_t count, T cap) {
  const T inverse = T(1) / cap;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) a[i] = cap * hyperbolic_tangent(a[i] * inverse);
}

template <typename T>
static void soft_cap(Matrix<T> logits, double softcap) {
  if (softcap <= 0) return;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < logits.rows; ++r) soft_cap_row(logits.row(r), logits.columns, static_cast<T>(softcap));
}

// Sums of a vocabulary's worth of terms lose digits in float32, so blocks are added in double.
constexpr int64_t kSumBlock = 512;

template <typename T>
static inline double exponential_sum(T* values, int64_t count, T largest, bool store) {
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += kSumBlock) {
    T* __restrict a = values + begin;
    const int64_t size = min_of(kSumBlock, count - begin);
    T sum = 0;
    if (store) {
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < size; ++i) {
        const T e = exponential(a[i] - largest);
        a[i] = e;
        sum += e;
      }
    } else {
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < size; ++i) sum += exponential(a[i] - largest);
    }
    total += static_cast<double>(sum);
  }
  return total;
}

template <typename T>
static void cross_entropy(Matrix<T> logits, const int32_t* targets, const T* weights, double softcap, bool gradient,
                          double* nll) {
  const int64_t vocabulary = logits.columns;
  const T cap = static_cast<T>(softcap);
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < logits.rows; ++r) {
    T* __restrict a = logits.row(r);
    const bool capped = cap > T(0);
    if (capped) soft_cap_row(a, vocabulary, cap);
    T largest = a[0];
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < vocabulary; ++i) largest = a[i] > largest ? a[i] : largest;
    const T target_logit = a[targets[r]];
    const double sum = exponential_sum(a, vocabulary, largest, gradient && !capped);
    nll[r] = __builtin_log(sum) + static_cast<double>(largest) - static_cast<double>(target_logit);
    if (!gradient) continue;
    const T weight = weights[r], factor = static_cast<T>(static_cast<double>(weight) / sum);
    if (capped) {  // d cap*tanh(z/cap) / dz = 1 - tanh^2
      const T inverse = T(1) / cap;
      const T slope = T(1) - target_logit * inverse * (target_logit * inverse);
#pragma omp simd
      for (int64_t i = 0; i < vocabulary; ++i) {
        const T t = a[i] * inverse;
        a[i] = exponential(a[i] - largest) * factor * (T(1) - t * t);
      }
      a[targets[r]] -= weight * slope;
    } else {
#pragma omp simd
      for (int64_t i = 0; i < vocabulary; ++i) a[i] *= factor;
      a[targets[r]] -= weight;
    }
  }
}
