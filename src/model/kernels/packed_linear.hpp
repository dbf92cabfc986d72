// Linear layers of a decoding step, whose few rows would not repay the packing of the weight each time: it is packed once.
// An element is the same sum as in `product`, whatever the rows beside it.

// The weight in panels of outputs, each [depth, kPanel]. By the calling thread alone: it may be another than the one that
// decodes, and with two teams on the cores the threads of both would sleep between any two loops.
template <typename T>
static void pack_weight(Matrix<const T> weight, T* packed) {
  constexpr int64_t kWidth = kPanel<T>;
  for (int64_t first = 0; first < weight.rows; first += kWidth)
    pack_panel<T, kWidth>(weight.row(first), weight.ld, 1, min_of(kWidth, weight.rows - first), weight.columns,
                          packed + first * weight.columns);
}

template <typename T>
static int64_t packed_weight_size(int64_t rows, int64_t columns) {
  return round_up(rows, kPanel<T>) * columns;
}

// y = (or +=) x weight^T + bias.
template <typename T>
static void linear_few_rows(Matrix<const T> x, const T* packed, const T* bias, Matrix<T> y, bool accumulate) {
  constexpr int64_t kWidth = kPanel<T>, kLanes = TileVector<T>::kLanes;
  if (bias) fill_rows(y, bias, accumulate);
  const bool add = accumulate || bias;
  const int64_t depth = x.columns, block = depth_block(depth);
  const int64_t row_tasks = blocks_of(x.rows, kTileRows), tasks = row_tasks * blocks_of(y.columns, kWidth);
#pragma omp parallel for schedule(static) if (x.rows * y.columns * depth >= 65536)
  for (int64_t task = 0; task < tasks; ++task) {
    const int64_t column = task / row_tasks * kWidth, columns = min_of(kWidth, y.columns - column);
    const int64_t first = task % row_tasks * kTileRows, rows = min_of(kTileRows, x.rows - first);
    const T* panel = packed + column * depth;
    alignas(64) T edge[kTileRows * kWidth];
    for (int64_t step = 0; step < depth; step += block) {
      const int64_t steps = min_of(block, depth - step);
      const bool adds = add || step > 0;
      const T* from = x.row(first) + step;
      T* to = y.row(first) + column;
      if (columns % kLanes == 0) {
        few_rows_product(rows, columns, steps, from, x.ld, panel + step * kWidth, to, y.ld, adds);
        continue;
      }
      few_rows_product(rows, columns, steps, from, x.ld, panel + step * kWidth, edge, kWidth, false);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = 0; i < columns; ++i)
          to[r * y.ld + i] = adds ? to[r * y.ld + i] + edge[r * kWidth + i] : edge[r * kWidth + i];
    }
  }
}
