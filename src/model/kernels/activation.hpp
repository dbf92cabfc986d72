// The MLP's non-linearity, forward and backward. SwiGLU (Shazeer 2020) reads a gate half and a
// value half; GELU is the exact (erf) form; ReLU^2 is So et al. 2021.

template <typename T>
static void activation_forward(ActivationKind kind, Matrix<const T> fc, Matrix<T> h) {
  const int64_t width = h.columns;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < fc.rows; ++r) {
    const T* __restrict a = fc.row(r);
    T* __restrict y = h.row(r);
    if (kind == ActivationKind::kSwiglu) {
      const T* __restrict value = a + width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) y[i] = a[i] / (T(1) + exponential(-a[i])) * value[i];
    } else if (kind == ActivationKind::kRelu2) {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) y[i] = a[i] < T(0) ? T(0) : a[i] * a[i];
    } else {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i)
        y[i] = T(0.5) * a[i] * (T(1) + error_function(a[i] * T(0.70710678118654752440)));
    }
  }
}

template <typename T>
static void activation_backward(ActivationKind kind, Matrix<T> fc, Matrix<T> h) {
  const int64_t width = h.columns;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < fc.rows; ++r) {
    T* __restrict a = fc.row(r);
    T* __restrict y = h.row(r);
    if (kind == ActivationKind::kSwiglu) {
      T* __restrict value = a + width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) {
        const T gate = a[i], up = value[i], dy = y[i];
        const T sigmoid = T(1) / (T(1) + exponential(-gate)), silu = gate * sigmoid;
        y[i] = silu * up;
        value[i] = dy * silu;
        a[i] = dy * up * (sigmoid + silu * (T(1) - sigmoid));
      }
    } else if (kind == ActivationKind::kRelu2) {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) {
        const T positive = a[i] < T(0) ? T(0) : a[i], dy = y[i];
        y[i] = positive * positive;
        a[i] = T(2) * positive * dy;
      }
    } else {
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) {
        const T x = a[i], dy = y[i];
        const T cumulative = T(0.5) * (T(1) + error_function(x * T(0.70710678118654752440)));
        y[i] = x * cumulative;
        a[i] = dy * (cumulative + x * T(0.39894228040143267794) * exponential(T(-0.5) * x * x));
      }
    }
  }
}
