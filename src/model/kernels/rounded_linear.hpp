// Linear layers whose weight is rounded to 8 bits, for drafts: where reading the weights is what a token costs, this costs a
// quarter. The result is close to that of the weight itself, no more.

// Values of four steps lie side by side, so that one load of 32-bit integers brings the weights of a whole vector for all four.
constexpr int64_t kRoundedSteps = 4;

template <typename T>
struct RoundedShape {
  int64_t outputs, panel_size, scale_bytes;

  RoundedShape(int64_t rows, int64_t columns)
      : outputs(round_up(rows, kPanel<T>)),
        panel_size(kPanel<T> * round_up(columns, kRoundedSteps)),
        scale_bytes(round_up(outputs * static_cast<int64_t>(sizeof(T)), 64)) {}
  int64_t bytes() const { return scale_bytes + outputs / kPanel<T> * panel_size; }
};

// In one piece of memory: a scale for each output, then panels of kPanel outputs, each [steps / 4, kPanel, 4]. A weight is
// scale * value.
template <typename T>
static int64_t rounded_weight_size(int64_t rows, int64_t columns) {
  return RoundedShape<T>(rows, columns).bytes();
}

// The largest value of an output becomes 127. An output with a value that is not finite has a scale that is none.
template <typename T>
static void round_weight(Matrix<const T> weight, int8_t* memory) {
  constexpr int64_t kWidth = kPanel<T>;
  const RoundedShape<T> shape(weight.rows, weight.columns);
  T* scales = reinterpret_cast<T*>(memory);
#pragma omp parallel for schedule(static)
  for (int64_t output = 0; output < shape.outputs; ++output) {
    int8_t* lane = memory + shape.scale_bytes + output / kWidth * shape.panel_size + output % kWidth * kRoundedSteps;
    const T* from = weight.row(min_of(output, weight.rows - 1));
    const int64_t there = output < weight.rows ? weight.columns : 0;
    T largest = 0;
    bool finite = true;
    for (int64_t i = 0; i < there; ++i) {
      const T size = from[i] < 0 ? -from[i] : from[i];
      finite = finite && size <= std::numeric_limits<T>::max();
      largest = size > largest ? size : largest;
    }
    scales[output] = finite ? largest / 127 : std::numeric_limits<T>::quiet_NaN();
    for (int64_t i = 0; i < shape.panel_size / kWidth; ++i) {
      const bool nothing = i >= there || !finite || largest == 0;
      const auto value = nothing ? int8_t(0) : static_cast<int8_t>(__builtin_nearbyint(static_cast<double>(from[i] / largest) * 127));
      lane[i / kRoundedSteps * kWidth * kRoundedSteps + i % kRoundedSteps] = value;
    }
  }
}

template <int64_t lanes>
struct Integers {
  typedef int32_t Vector __attribute__((vector_size(4 * lanes)));
};

// sums[i] = the panel's output i of one row. Each of four steps has a sum of its own, so that an addition need not wait for
// the one before.
template <typename T>
static inline void rounded_tile(int64_t steps, const T* __restrict x, const int8_t* __restrict panel, T* __restrict sums) {
  typedef typename TileVector<T>::Vector Vector;
  constexpr int64_t kLanes = TileVector<T>::kLanes;
  Vector sum[kRoundedSteps][kTileVectors] = {};
  for (int64_t step = 0; step < steps; step += kRoundedSteps) {
#pragma GCC unroll 3
    for (int v = 0; v < kTileVectors; ++v) {
      typename Integers<kLanes>::Vector four;
      __builtin_memcpy(&four, panel + (step * kTileVectors + v * kRoundedSteps) * kLanes, sizeof four);
      sum[0][v] += x[step] * __builtin_convertvector((four << 24) >> 24, Vector);
      sum[1][v] += x[step + 1] * __builtin_convertvector((four << 16) >> 24, Vector);
      sum[2][v] += x[step + 2] * __builtin_convertvector((four << 8) >> 24, Vector);
      sum[3][v] += x[step + 3] * __builtin_convertvector(four >> 24, Vector);
    }
  }
#pragma GCC unroll 3
  for (int v = 0; v < kTileVectors; ++v) TileVector<T>::store(sums + v * kLanes, (sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v]));
}

// y = (or +=) x weight^T + bias, about.
template <typename T>
static void linear_rounded(Matrix<const T> x, const int8_t* rounded, const T* bias, Matrix<T> y, bool accumulate) {
  constexpr int64_t kWidth = kPanel<T>;
  const int64_t depth = x.columns, whole = depth / kRoundedSteps * kRoundedSteps;
  const RoundedShape<T> shape(y.columns, depth);
  const T* scales = reinterpret_cast<const T*>(rounded);
#pragma omp parallel for schedule(static) if (x.rows * y.columns * depth >= 65536)
  for (int64_t column = 0; column < y.columns; column += kWidth) {
    const int64_t columns = min_of(kWidth, y.columns - column);
    const int8_t* panel = rounded + shape.scale_bytes + column / kWidth * shape.panel_size;
    alignas(64) T sums[kWidth];
    for (int64_t row = 0; row < x.rows; ++row) {
      rounded_tile(whole, x.row(row), panel, sums);
      for (int64_t step = whole; step < depth; ++step)
        for (int64_t i = 0; i < kWidth; ++i) sums[i] += x.row(row)[step] * static_cast<T>(panel[whole * kWidth + i * kRoundedSteps + step - whole]);
      T* to = y.row(row) + column;
      for (int64_t i = 0; i < columns; ++i) {
        const T value = sums[i] * scales[column + i] + (bias ? bias[column + i] : T(0));
        to[i] = accumulate ? to[i] + value : value;
      }
    }
  }
}
