// The matrix product of the linear layers: C = (or +=) op(A) op(B). Both operands are walked in blocks of steps; the
// right one, and a transposed left one, are packed into panels first, so that a tile of C reads memory in order.
//
// An element of C is a sum over its steps in order, in blocks of at most kDepthBlock, by one thread: it depends neither
// on the number of threads nor on the rows and columns beside it.

constexpr int64_t kTaskRows = 64;  // rows of a panel that one thread works on at a time

// Steps of a block: as few blocks as may be, of equal size.
static inline int64_t depth_block(int64_t depth) { return blocks_of(depth, max_of(1, blocks_of(depth, kDepthBlock))); }

// Panel of up to `width` lines: for each step the values of all its lines side by side, zeros behind the last line.
template <typename T, int64_t width>
static inline void pack_panel(const T* __restrict from, int64_t line_stride, int64_t step_stride, int64_t lines,
                              int64_t steps, T* __restrict panel) {
  for (int64_t step = 0; step < steps; step += 16) {
    const int64_t end = min_of(steps, step + 16);
    if (line_stride == 1 && lines == width) {
      for (int64_t s = step; s < end; ++s)
        __builtin_memcpy(panel + s * width, from + s * step_stride, sizeof(T) * static_cast<size_t>(width));
      continue;
    }
    for (int64_t line = 0; line < lines; ++line)
      for (int64_t s = step; s < end; ++s) panel[s * width + line] = from[line * line_stride + s * step_stride];
    for (int64_t line = lines; line < width; ++line)
      for (int64_t s = step; s < end; ++s) panel[s * width + line] = T(0);
  }
}

// One tile of C, of which `rows` and `columns` are there; the left operand's tile is whole.
template <typename T>
static inline void product_tile(int64_t steps, const T* left, int64_t left_row, int64_t left_step, const T* panel,
                                int64_t rows, int64_t columns, bool add, T* c, int64_t ldc) {
  constexpr int64_t kWidth = kPanel<T>, kLanes = TileVector<T>::kLanes;
  if (rows == kTileRows && columns % kLanes == 0)
    return tile_product(rows, columns, steps, left, left_row, left_step, panel, kWidth, c, ldc, add);
  alignas(64) T edge[kTileRows * kWidth];
  tile_product(kTileRows, columns, steps, left, left_row, left_step, panel, kWidth, edge, kWidth, false);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < columns; ++i)
      c[r * ldc + i] = add ? c[r * ldc + i] + edge[r * kWidth + i] : edge[r * kWidth + i];
}

// An operand by lines (rows of A, columns of B) and steps.
template <typename T>
struct Operand {
  const T* data;
  int64_t line, step;  // strides

  Operand from(int64_t first_line, int64_t first_step) const {
    return {data + first_line * line + first_step * step, line, step};
  }
};

// The panels of `lines` lines over `steps` steps, by all threads.
template <typename T, int64_t width>
static inline void pack(Operand<T> x, int64_t lines, int64_t steps, T* panels) {
#pragma omp for schedule(static)
  for (int64_t first = 0; first < lines; first += width)
    pack_panel<T, width>(x.data + first * x.line, x.line, x.step, min_of(width, lines - first), steps,
                         panels + first * steps);
}

// C = (or +=) the product of lines over one block of steps, by all threads. `left` is packed when `packed_left`.
template <typename T>
static inline void multiply_block(Operand<T> a, bool packed_left, Operand<T> b, int64_t steps, bool add, Matrix<T> c,
                                  T* right) {
  constexpr int64_t kWidth = kPanel<T>;
  pack<T, kWidth>(b, c.columns, steps, right);
  const int64_t panels = blocks_of(c.columns, kWidth), tasks = blocks_of(c.rows, kTaskRows) * panels;
#pragma omp for schedule(static)
  for (int64_t task = 0; task < tasks; ++task) {
    const int64_t column = task % panels * kWidth, first = task / panels * kTaskRows;
    const T* panel = right + column * steps;
    for (int64_t r = first; r < min_of(c.rows, first + kTaskRows); r += kTileRows) {
      const int64_t rows = min_of(kTileRows, c.rows - r), columns = min_of(kWidth, c.columns - column);
      T* to = c.row(r) + column;
      alignas(64) T last[kTileRows * kDepthBlock];
      if (packed_left) {
        product_tile(steps, a.data + r * steps, 1, kTileRows, panel, rows, columns, add, to, c.ld);
      } else if (rows == kTileRows) {
        product_tile(steps, a.data + r * a.line, a.line, a.step, panel, rows, columns, add, to, c.ld);
      } else {
        pack_panel<T, kTileRows>(a.data + r * a.line, a.line, a.step, rows, steps, last);
        product_tile(steps, last, 1, kTileRows, panel, rows, columns, add, to, c.ld);
      }
    }
  }
}

template <typename T>
static void product(bool transpose_a, Matrix<const T> a, bool transpose_b, Matrix<const T> b, bool accumulate,
                    Matrix<T> c, T* scratch) {
  const Operand<T> left = transpose_a ? Operand<T>{a.data, 1, a.ld} : Operand<T>{a.data, a.ld, 1};
  const Operand<T> right = transpose_b ? Operand<T>{b.data, b.ld, 1} : Operand<T>{b.data, 1, b.ld};
  const int64_t depth = transpose_a ? a.rows : a.columns;
  const int64_t block = depth_block(depth);
  T* packed_right = scratch;
  T* packed_left = scratch + kColumnBlock * kDepthBlock;
  const auto part = [&](int64_t row, int64_t rows, int64_t column) {
    return Matrix<T>{c.row(row) + column, rows, min_of(kColumnBlock, c.columns - column), c.ld};
  };
#pragma omp parallel
  if (transpose_a) {
    for (int64_t row = 0; row < c.rows; row += kLeftBlock) {
      const int64_t rows = min_of(kLeftBlock, c.rows - row);
      for (int64_t step = 0; step < depth; step += block) {
        const int64_t steps = min_of(block, depth - step);
        pack<T, kTileRows>(left.from(row, step), rows, steps, packed_left);
        for (int64_t column = 0; column < c.columns; column += kColumnBlock)
          multiply_block<T>({packed_left, 1, kTileRows}, true, right.from(column, step), steps, accumulate || step > 0,
                            part(row, rows, column), packed_right);
      }
    }
  } else {
    for (int64_t column = 0; column < c.columns; column += kColumnBlock)
      for (int64_t step = 0; step < depth; step += block)
        multiply_block<T>(left.from(0, step), false, right.from(column, step), min_of(block, depth - step),
                          accumulate || step > 0, part(0, c.rows, column), packed_right);
  }
}
