// Embedding look-up, bias rows and the matrix product of a few rows.

template <typename T>
static void embedding_forward(const int32_t* tokens, const int32_t* positions, const T* table, const T* position_table,
                              Matrix<T> x) {
  const int64_t width = x.columns;
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < x.rows; ++r) {
    const T* __restrict from = table + tokens[r] * width;
    T* __restrict to = x.row(r);
    if (!position_table) {
      __builtin_memcpy(to, from, sizeof(T) * static_cast<size_t>(width));
      continue;
    }
    const T* __restrict position = position_table + positions[r] * width;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) to[i] = from[i] + position[i];
  }
}

// Several tokens add to one row of the table, so threads own columns and walk the tokens in order.
constexpr int64_t kColumnSlice = 32;

template <typename T>
static void embedding_backward(const int32_t* tokens, const int32_t* positions, Matrix<const T> dx, T* dtable,
                               T* dposition_table) {
  const int64_t width = dx.columns, slices = blocks_of(width, kColumnSlice);
#pragma omp parallel for schedule(static)
  for (int64_t slice = 0; slice < slices; ++slice) {
    const int64_t begin = slice * kColumnSlice, end = min_of(width, begin + kColumnSlice);
    for (int64_t r = 0; r < dx.rows; ++r) {
      const T* __restrict g = dx.row(r);
      T* __restrict to = dtable + tokens[r] * width;
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) to[i] += g[i];
      if (!dposition_table) continue;
      T* __restrict position = dposition_table + positions[r] * width;
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) position[i] += g[i];
    }
  }
}

template <typename T>
static void fill_rows(Matrix<T> y, const T* values, bool accumulate) {
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < y.rows; ++r) {
    T* __restrict to = y.row(r);
    if (accumulate) {
#pragma omp simd
      for (int64_t i = 0; i < y.columns; ++i) to[i] += values[i];
    } else {
      __builtin_memcpy(to, values, sizeof(T) * static_cast<size_t>(y.columns));
    }
  }
}

template <typename T>
static void column_sums(Matrix<const T> x, T* sums) {
  const int64_t slices = blocks_of(x.columns, kColumnSlice);
#pragma omp parallel for schedule(static)
  for (int64_t slice = 0; slice < slices; ++slice) {
    const int64_t begin = slice * kColumnSlice, width = min_of(x.columns - begin, kColumnSlice);
    T total[kColumnSlice] = {};
    for (int64_t block = 0; block < x.rows;
         block += kRowBlock) {  // two levels keep the rounding error of long sums small
      T partial[kColumnSlice] = {};
      for (int64_t r = block; r < min_of(x.rows, block + kRowBlock); ++r) {
        const T* __restrict from = x.row(r) + begin;
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) partial[i] += from[i];
      }
      for (int64_t i = 0; i < width; ++i) total[i] += partial[i];
    }
    for (int64_t i = 0; i < width; ++i) sums[begin + i] += total[i];
  }
}
