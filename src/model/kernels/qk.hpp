// Per-head RMSNorm of queries and keys, then rotary position embedding (Su et al. 2021) in the
// half-rotation form: element i of a head is paired with element i + head_dim / 2.

template <typename T>
static void qk_forward(const QkArgs<T>& args, Matrix<const T> in, Matrix<T> out, T* rstd) {
  const int64_t heads = args.n_head + args.n_kv_head, width = args.head_dim, half = width / 2;
  const T eps = static_cast<T>(args.eps), inverse = T(1) / static_cast<T>(width);
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < in.rows; ++r) {
    const T* __restrict cosine = args.cosine ? args.cosine + args.position[r] * half : nullptr;
    const T* __restrict sine = args.cosine ? args.sine + args.position[r] * half : nullptr;
    for (int64_t head = 0; head < heads; ++head) {
      const T* __restrict a = in.row(r) + head * width;
      T* __restrict o = out.row(r) + head * width;
      const T* __restrict weight = head < args.n_head ? args.q_weight : args.k_weight;
      if (weight) {
        const T scale = T(1) / square_root(dot(a, a, width) * inverse + eps);
        rstd[r * heads + head] = scale;
        if (!cosine) {
#pragma omp simd
          for (int64_t i = 0; i < width; ++i) o[i] = a[i] * scale * weight[i];
          continue;
        }
#pragma omp simd
        for (int64_t i = 0; i < half; ++i) {
          const T first = a[i] * scale * weight[i], second = a[i + half] * scale * weight[i + half];
          o[i] = first * cosine[i] - second * sine[i];
          o[i + half] = second * cosine[i] + first * sine[i];
        }
      } else {
#pragma omp simd
        for (int64_t i = 0; i < half; ++i) {
          o[i] = a[i] * cosine[i] - a[i + half] * sine[i];
          o[i + half] = a[i + half] * cosine[i] + a[i] * sine[i];
        }
      }
    }
  }
}

template <typename T>
static void qk_backward(const QkArgs<T>& args, Matrix<const T> in, const T* rstd, Matrix<T> gradient, T* dq_weight,
                        T* dk_weight, T* scratch) {
  const int64_t heads = args.n_head + args.n_kv_head, width = args.head_dim, half = width / 2;
  const int64_t blocks = blocks_of(in.rows, kRowBlock);
  const T inverse = T(1) / static_cast<T>(width);
#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    T* block_weight = scratch + 2 * block * width;
    __builtin_memset(block_weight, 0, sizeof(T) * 2 * static_cast<size_t>(width));
    const int64_t end = min_of(in.rows, (block + 1) * kRowBlock);
    for (int64_t r = block * kRowBlock; r < end; ++r) {
      for (int64_t head = 0; head < heads; ++head) {
        T* __restrict g = gradient.row(r) + head * width;
        if (args.cosine) {
          const T* __restrict cosine = args.cosine + args.position[r] * half;
          const T* __restrict sine = args.sine + args.position[r] * half;
#pragma omp simd
          for (int64_t i = 0; i < half; ++i) {
            const T first = g[i], second = g[i + half];
            g[i] = first * cosine[i] + second * sine[i];
            g[i + half] = second * cosine[i] - first * sine[i];
          }
        }
        const T* __restrict weight = head < args.n_head ? args.q_weight : args.k_weight;
        if (!weight) continue;
        const T* __restrict a = in.row(r) + head * width;
        T* __restrict dweight = block_weight + (head < args.n_head ? 0 : width);
        const T scale = rstd[r * heads + head];
        T sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < width; ++i) sum += g[i] * weight[i] * a[i];
        sum *= scale * scale * scale * inverse;
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) {
          dweight[i] += g[i] * a[i] * scale;
          g[i] = g[i] * weight[i] * scale - a[i] * sum;
        }
      }
    }
  }
  if (!args.q_weight) return;
  for (int64_t block = 0; block < blocks; ++block) {
    const T* block_weight = scratch + 2 * block * width;
    for (int64_t i = 0; i < width; ++i) {
      dq_weight[i] += block_weight[i];
      dk_weight[i] += block_weight[width + i];
    }
  }
}
