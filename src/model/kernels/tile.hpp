// Small matrix products for attention: C = (or +=) A B with the operands already in the cache of the
// core, where a general product would spend its time packing. A block of C lives in registers.

#ifdef __AVX512F__
constexpr int kTileBytes = 64, kTileRows = 8, kTileVectors = 3;
#elif defined(__AVX2__)
constexpr int kTileBytes = 32, kTileRows = 4, kTileVectors = 3;
#else
constexpr int kTileBytes = 16, kTileRows = 4, kTileVectors = 3;
#endif

template <typename T>
struct TileVector {
  typedef T Vector __attribute__((vector_size(kTileBytes)));
  typedef T InMemory __attribute__((vector_size(kTileBytes), aligned(sizeof(T)), may_alias));
  static constexpr int64_t kLanes = kTileBytes / sizeof(T);

  // A memcpy into an array of vectors would go through the stack, in halves on AVX2.
  static Vector load(const T* from) { return *reinterpret_cast<const InMemory*>(from); }
  static void store(T* to, Vector value) { *reinterpret_cast<InMemory*>(to) = value; }
};

static inline int64_t round_up(int64_t count, int64_t multiple) { return blocks_of(count, multiple) * multiple; }

// The element (row, step) of A is a[row * a_row + step * a_step]; rows of B are b_step apart.
template <typename T, int kVectors, int kRows>
static inline void tile(int64_t depth, const T* __restrict a, int64_t a_row, int64_t a_step, const T* __restrict b,
                        int64_t b_step, T* __restrict c, int64_t ldc, bool add) {
  typedef typename TileVector<T>::Vector Vector;
  constexpr int64_t kLanes = TileVector<T>::kLanes;
  Vector sum[kRows][kVectors] = {};
  for (int64_t step = 0; step < depth; ++step) {
    Vector row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) row[v] = TileVector<T>::load(b + step * b_step + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const T value = a[r * a_row + step * a_step];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] += row[v] * value;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      T* to = c + r * ldc + v * kLanes;
      TileVector<T>::store(to, add ? TileVector<T>::load(to) + sum[r][v] : sum[r][v]);
    }
  }
}

// The tile of so many vectors, at most kTileVectors.
template <typename T, int kRows>
static inline void tile_of(int64_t vectors, int64_t depth, const T* a, int64_t a_row, int64_t a_step, const T* b,
                           int64_t b_step, T* c, int64_t ldc, bool add) {
  if (vectors == 3)
    tile<T, 3, kRows>(depth, a, a_row, a_step, b, b_step, c, ldc, add);
  else if (vectors == 2)
    tile<T, 2, kRows>(depth, a, a_row, a_step, b, b_step, c, ldc, add);
  else
    tile<T, 1, kRows>(depth, a, a_row, a_step, b, b_step, c, ldc, add);
}

// rows is rounded up to kTileRows and columns to the lanes of a vector: the memory must be there.
template <typename T>
static void tile_product(int64_t rows, int64_t columns, int64_t depth, const T* a, int64_t a_row, int64_t a_step,
                         const T* b, int64_t b_step, T* c, int64_t ldc, bool add) {
  constexpr int64_t kLanes = TileVector<T>::kLanes;
  for (int64_t column = 0; column < columns; column += kTileVectors * kLanes) {
    const int64_t vectors = min_of(kTileVectors, blocks_of(columns - column, kLanes));
    for (int64_t row = 0; row < rows; row += kTileRows)
      tile_of<T, kTileRows>(vectors, depth, a + row * a_row, a_row, a_step, b + column, b_step, c + row * ldc + column, ldc, add);
  }
}

// The transpose of x [count, width] in panels of kPanel<T> columns: panel p holds width rows of kPanel values, so that
// a product with x^T walks memory in order. The last panel is filled with zeros.
template <typename T>
constexpr int64_t kPanel = kTileVectors* TileVector<T>::kLanes;

template <typename T>
static inline void pack_transposed(Matrix<const T> x, int64_t first, int64_t count, int64_t column, int64_t width,
                                   T* __restrict panels) {
  constexpr int64_t kWidth = kPanel<T>;
  for (int64_t begin = 0; begin < count; begin += kWidth) {
    T* __restrict panel = panels + begin * width;
    const int64_t filled = min_of(kWidth, count - begin);
    for (int64_t r = 0; r < filled; ++r) {
      const T* __restrict from = x.row(first + begin + r) + column;
      for (int64_t i = 0; i < width; ++i) panel[i * kWidth + r] = from[i];
    }
    if (filled == kWidth) continue;
    for (int64_t i = 0; i < width; ++i)
      for (int64_t r = filled; r < kWidth; ++r) panel[i * kWidth + r] = T(0);
  }
}

// x [count, width] with rows of `padded` values, zeros behind the width.
template <typename T>
static inline void pack_rows(Matrix<const T> x, int64_t first, int64_t count, int64_t column, int64_t width,
                             int64_t padded, T* __restrict out) {
  for (int64_t r = 0; r < count; ++r) {
    __builtin_memcpy(out + r * padded, x.row(first + r) + column, sizeof(T) * static_cast<size_t>(width));
    for (int64_t i = width; i < padded; ++i) out[r * padded + i] = T(0);
  }
}

// Calls next.template operator()<n>(first) for tiles of n rows that cover the rows, none beyond them.
template <typename Next>
static inline void in_row_tiles(int64_t rows, Next next) {
  int64_t row = 0;
  for (; row + kTileRows <= rows; row += kTileRows) next.template operator()<kTileRows>(row);
  if (kTileRows > 4 && row + 4 <= rows) {
    next.template operator()<4>(row);
    row += 4;
  }
  if (row + 2 <= rows) {
    next.template operator()<2>(row);
    row += 2;
  }
  if (row < rows) next.template operator()<1>(row);
}

// tile_product of any number of rows with one panel: none is computed that is not there, and each element is the same sum
// whatever the rows beside it. columns is rounded up to the lanes of a vector.
template <typename T>
static inline void few_rows_product(int64_t rows, int64_t columns, int64_t depth, const T* a, int64_t a_row, const T* panel,
                                    T* c, int64_t ldc, bool add) {
  const int64_t vectors = blocks_of(columns, TileVector<T>::kLanes);
  in_row_tiles(rows, [&]<int kRows>(int64_t r) {
    tile_of<T, kRows>(vectors, depth, a + r * a_row, a_row, 1, panel, kPanel<T>, c + r * ldc, ldc, add);
  });
}
