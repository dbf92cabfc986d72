// RMSNorm (Zhang and Sennrich 2019) and LayerNorm over the columns of a matrix.

template <typename T>
static void norm_forward(const NormArgs<T>& args, Matrix<T> y, T* copy_of_x) {
  const int64_t rows = args.x.rows, columns = args.x.columns;
  const bool layer = args.kind == NormKind::kLayer;
  const T eps = static_cast<T>(args.eps), inverse = T(1) / static_cast<T>(columns);
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < rows; ++r) {
    const T* __restrict x = args.x.row(r);
    T* __restrict out = y.row(r);
    const T* __restrict weight = args.weight;
    if (copy_of_x) __builtin_memcpy(copy_of_x + r * columns, x, sizeof(T) * static_cast<size_t>(columns));
    if (!layer) {
      const T rstd = T(1) / square_root(dot(x, x, columns) * inverse + eps);
      args.rstd[r] = rstd;
#pragma omp simd
      for (int64_t i = 0; i < columns; ++i) out[i] = x[i] * rstd * weight[i];
      continue;
    }
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < columns; ++i) sum += x[i];
    const T mean = sum * inverse;
    T square = 0;
#pragma omp simd reduction(+ : square)
    for (int64_t i = 0; i < columns; ++i) square += (x[i] - mean) * (x[i] - mean);
    const T rstd = T(1) / square_root(square * inverse + eps);
    args.mean[r] = mean;
    args.rstd[r] = rstd;
    const T* __restrict bias = args.bias;
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) out[i] = (x[i] - mean) * rstd * weight[i] + bias[i];
  }
}

template <typename T>
static void rms_row_backward(const T* __restrict dy, const T* __restrict x, const T* __restrict weight, T rstd,
                             T inverse, int64_t columns, bool accumulate, T* __restrict dx, T* __restrict dweight) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < columns; ++i) sum += dy[i] * weight[i] * x[i];
  sum *= rstd * rstd * rstd * inverse;
  if (accumulate) {
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) {
      dweight[i] += dy[i] * x[i] * rstd;
      dx[i] += dy[i] * weight[i] * rstd - x[i] * sum;
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) {
      dweight[i] += dy[i] * x[i] * rstd;
      dx[i] = dy[i] * weight[i] * rstd - x[i] * sum;
    }
  }
}

template <typename T>
static void layer_row_backward(const T* __restrict dy, const T* __restrict x, const T* __restrict weight, T mean,
                               T rstd, T inverse, int64_t columns, bool accumulate, T* __restrict dx,
                               T* __restrict dweight, T* __restrict dbias) {
  T sum = 0, sum_x = 0;
#pragma omp simd reduction(+ : sum, sum_x)
  for (int64_t i = 0; i < columns; ++i) {
    const T g = dy[i] * weight[i];
    sum += g;
    sum_x += g * (x[i] - mean) * rstd;
  }
  sum *= inverse;
  sum_x *= inverse;
#pragma omp simd
  for (int64_t i = 0; i < columns; ++i) {
    const T normed = (x[i] - mean) * rstd;
    dweight[i] += dy[i] * normed;
    dbias[i] += dy[i];
    const T value = rstd * (dy[i] * weight[i] - sum - normed * sum_x);
    dx[i] = accumulate ? dx[i] + value : value;
  }
}

template <typename T>
static void norm_backward(const NormArgs<T>& args, Matrix<const T> dy, Matrix<T> dx, bool accumulate, T* dweight,
                          T* dbias, T* scratch) {
  const int64_t rows = args.x.rows, columns = args.x.columns, blocks = blocks_of(rows, kRowBlock);
  const bool layer = args.kind == NormKind::kLayer;
  const T inverse = T(1) / static_cast<T>(columns);
#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    T* block_weight = scratch + 2 * block * columns;
    T* block_bias = block_weight + columns;
    __builtin_memset(block_weight, 0, sizeof(T) * 2 * static_cast<size_t>(columns));
    const int64_t end = min_of(rows, (block + 1) * kRowBlock);
    for (int64_t r = block * kRowBlock; r < end; ++r) {
      if (layer)
        layer_row_backward(dy.row(r), args.x.row(r), args.weight, args.mean[r], args.rstd[r], inverse, columns,
                           accumulate, dx.row(r), block_weight, block_bias);
      else
        rms_row_backward(dy.row(r), args.x.row(r), args.weight, args.rstd[r], inverse, columns, accumulate, dx.row(r),
                         block_weight);
    }
  }
  for (int64_t block = 0; block < blocks; ++block) {
    const T* block_weight = scratch + 2 * block * columns;
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) dweight[i] += block_weight[i];
    if (!layer) continue;
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) dbias[i] += block_weight[columns + i];
  }
}
