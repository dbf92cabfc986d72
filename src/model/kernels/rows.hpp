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

// A block of kRows x kOutputs dot products. Each of them runs over the same lanes in the same order
// whatever the block, so a row's result does not depend on the rows that came with it.
template <typename T, int kRows, int kOutputs>
static inline void dot_block(const T* x, int64_t ldx, const T* weight, int64_t depth, const T* bias, T* y, int64_t ldy,
                             bool accumulate) {
  constexpr int64_t kLanes = Pack<T>::kLanes;
  typename Pack<T>::Vector sum[kRows][kOutputs] = {};
  int64_t i = 0;
  for (; i + kLanes <= depth; i += kLanes) {
    typename Pack<T>::Vector w[kOutputs];
    for (int o = 0; o < kOutputs; ++o) w[o] = load(weight + o * depth + i);
    for (int r = 0; r < kRows; ++r) {
      const auto v = load(x + r * ldx + i);
      for (int o = 0; o < kOutputs; ++o) sum[r][o] += v * w[o];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int o = 0; o < kOutputs; ++o) {
      T total = horizontal_sum<T>(sum[r][o]);
      for (int64_t tail = i; tail < depth; ++tail) total += x[r * ldx + tail] * weight[o * depth + tail];
      if (bias) total += bias[o];
      y[r * ldy + o] = accumulate ? y[r * ldy + o] + total : total;
    }
  }
}

template <typename T, int kOutputs>
static inline void dot_rows(Matrix<const T> x, const T* weight, const T* bias, Matrix<T> y, int64_t column,
                            bool accumulate) {
  const T* w = weight + column * x.columns;
  const T* b = bias ? bias + column : nullptr;
  int64_t r = 0;
  for (; r + 4 <= x.rows; r += 4)
    dot_block<T, 4, kOutputs>(x.row(r), x.ld, w, x.columns, b, y.row(r) + column, y.ld, accumulate);
  for (; r < x.rows; ++r)
    dot_block<T, 1, kOutputs>(x.row(r), x.ld, w, x.columns, b, y.row(r) + column, y.ld, accumulate);
}

// y = (or +=) x weight^T + bias for the few rows of a decoding step, where a general matrix product spends its
// time packing: every weight is read once, from memory to register.
template <typename T>
static void linear_few_rows(Matrix<const T> x, const T* weight, const T* bias, Matrix<T> y, bool accumulate) {
  const int64_t groups = y.columns / 4;
#pragma omp parallel for schedule(static) if (y.columns * x.columns >= 65536)
  for (int64_t group = 0; group < groups; ++group) dot_rows<T, 4>(x, weight, bias, y, 4 * group, accumulate);
  for (int64_t column = 4 * groups; column < y.columns; ++column)
    dot_rows<T, 1>(x, weight, bias, y, column, accumulate);
}
