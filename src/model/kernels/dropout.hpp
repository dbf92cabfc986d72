// Dropout masks are never stored: whether an element is kept is a function of (key, site, row,
// column), recomputed in the backward pass. Philox4x32-10 gives the bits of four neighbouring columns.

static inline void dropout_bits(const DropoutMask& mask, uint64_t row, uint32_t group, uint32_t bits[4]) {
  uint32_t c0 = group, c1 = mask.site, c2 = static_cast<uint32_t>(row), c3 = static_cast<uint32_t>(row >> 32);
  uint32_t k0 = static_cast<uint32_t>(mask.key), k1 = static_cast<uint32_t>(mask.key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  bits[0] = c0, bits[1] = c1, bits[2] = c2, bits[3] = c3;
}

static inline uint32_t dropout_threshold(double rate) { return static_cast<uint32_t>(rate * 4294967296.0); }

// values[i] *= keep(row, column_begin + i) ? 1 / (1 - rate) : 0 for columns [begin, end) of the mask.
template <typename T>
static void apply_dropout(const DropoutMask& mask, uint64_t row, int64_t begin, int64_t end, T* values) {
  const uint32_t threshold = dropout_threshold(mask.rate);
  const T scale = static_cast<T>(1 / (1 - mask.rate));
  for (int64_t group = begin / 4; group * 4 < end; ++group) {
    uint32_t bits[4];
    dropout_bits(mask, row, static_cast<uint32_t>(group), bits);
    for (int64_t column = max_of(begin, group * 4); column < min_of(end, group * 4 + 4); ++column)
      values[column - begin] *= bits[column - group * 4] >= threshold ? scale : T(0);
  }
}

template <typename T>
static void dropout(const DropoutMask& mask, Matrix<const T> x, Matrix<T> y, bool accumulate) {
  const uint32_t threshold = dropout_threshold(mask.rate);
  const T scale = static_cast<T>(1 / (1 - mask.rate));
#pragma omp parallel for schedule(static)
  for (int64_t r = 0; r < x.rows; ++r) {
    const T* in = x.row(r);
    T* out = y.row(r);
    for (int64_t group = 0; group * 4 < x.columns; ++group) {
      uint32_t bits[4];
      dropout_bits(mask, static_cast<uint64_t>(r), static_cast<uint32_t>(group), bits);
      for (int64_t column = group * 4; column < min_of(x.columns, group * 4 + 4); ++column) {
        const T value = bits[column - group * 4] >= threshold ? in[column] * scale : T(0);
        out[column] = accumulate ? out[column] + value : value;
      }
    }
  }
}
