// Causal attention in blocks of query rows. The query heads that share a key-value head are stacked
// into one block, so grouped heads cost one product and few masked scores are computed. A block of
// scores stays in the cache of its core; the whole score matrix never exists.
//
// A task is one (batch row, key-value head): its keys and values are packed once, and its blocks run in
// order, so the gradients of keys and values are summed in one order whatever the number of threads.

constexpr int64_t kQueryRows = 64;

struct AttentionShape {
  int64_t repeat;  // query heads per key-value head
  int64_t tokens_per_block;
  int64_t block_rows;    // stacked (token, head) rows of a block, rounded up to whole tiles
  int64_t width;         // head_dim rounded up to whole vectors
  int64_t key_capacity;  // keys rounded up to whole panels
  int64_t ld;            // of scores: not a power of two, whose rows would compete for the same cache lines
};

template <typename T>
static inline AttentionShape attention_shape(const AttentionArgs<T>& args) {
  const int64_t repeat = args.n_head / args.n_kv_head, tokens = max_of(1, kQueryRows / repeat);
  const int64_t capacity = round_up(round_up(args.length, kPanel<T>), 16);
  return {repeat,   tokens,       round_up(tokens * repeat, 16), round_up(args.head_dim, TileVector<T>::kLanes),
          capacity, capacity + 16};
}

template <typename T>
static int64_t attention_scratch(const AttentionArgs<T>& args, bool backward) {
  const AttentionShape s = attention_shape(args);
  const int64_t scores = s.block_rows * s.ld, rows = s.block_rows * s.width, keys = s.key_capacity * s.width;
  return round_up(backward ? 2 * scores + 3 * rows + 5 * keys : scores + 2 * rows + 2 * keys + s.block_rows, 64);
}

// Stacks the heads of one group: out[(token, head), width] = factor * x[token, head], zeros up to whole tiles.
template <typename T>
static inline void stack_heads(Matrix<const T> x, int64_t first, int64_t count, int64_t column,
                               const AttentionShape& shape, int64_t head_dim, T factor, T* __restrict out) {
  for (int64_t t = 0; t < count; ++t) {
    for (int64_t j = 0; j < shape.repeat; ++j) {
      const T* __restrict from = x.row(first + t) + column + j * head_dim;
      T* __restrict to = out + (t * shape.repeat + j) * shape.width;
#pragma omp simd
      for (int64_t i = 0; i < head_dim; ++i) to[i] = factor * from[i];
      for (int64_t i = head_dim; i < shape.width; ++i) to[i] = T(0);
    }
  }
  const int64_t rows = count * shape.repeat;
  __builtin_memset(out + rows * shape.width, 0,
                   sizeof(T) * static_cast<size_t>((round_up(rows, kTileRows) - rows) * shape.width));
}

template <typename T>
static inline void unstack_heads(const T* __restrict stacked, int64_t first, int64_t count, int64_t column,
                                 const AttentionShape& shape, int64_t head_dim, const T* row_factor, T factor,
                                 Matrix<T> x) {
  for (int64_t t = 0; t < count; ++t) {
    for (int64_t j = 0; j < shape.repeat; ++j) {
      const int64_t row = t * shape.repeat + j;
      const T scale = row_factor ? row_factor[row] : factor;
      const T* __restrict from = stacked + row * shape.width;
      T* __restrict to = x.row(first + t) + column + j * head_dim;
#pragma omp simd
      for (int64_t i = 0; i < head_dim; ++i) to[i] = scale * from[i];
    }
  }
}

// What one row of a block may look at: keys [begin, end), counted from the block's first key. Loops run over whole
// vectors, [first, first + count): most rows would otherwise end in a dozen scalar exponentials.
constexpr int64_t kRangeStep = 16;

struct KeyRange {
  int64_t begin, end;

  int64_t first() const { return begin & -kRangeStep; }
  int64_t count() const { return ((end + kRangeStep - 1) & -kRangeStep) - (begin & -kRangeStep); }
};

template <typename T>
static inline void fill(T* values, int64_t begin, int64_t end, T value) {
  for (int64_t i = begin; i < end; ++i) values[i] = value;
}

// exp(s - max) in place, zeros outside the range; returns the maximum and the sum.
template <typename T>
static inline void softmax_row(T* s, KeyRange range, int64_t keys, T* largest_out, T* sum_out) {
  // What lies between the range and whole vectors adds less to the sum (at least 1) than its rounding.
  constexpr T kHidden = T(-1e30);
  fill(s, range.first(), range.begin, kHidden);
  fill(s, range.end, range.first() + range.count(), kHidden);
  T* __restrict a = s + range.first();
  const int64_t count = range.count() & -kRangeStep;  // the compiler sees whole vectors
  T largest = a[0];
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < count; ++i) largest = a[i] > largest ? a[i] : largest;
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) {
    const T e = exponential(a[i] - largest);
    a[i] = e;
    sum += e;
  }
  fill(s, 0, range.begin, T(0));
  fill(s, range.end, keys, T(0));
  *largest_out = largest;
  *sum_out = sum;
}

struct QueryBlock {
  int64_t row, first, count;  // tokens [first, first + count) of batch row `row`
  int64_t low, high;          // keys [low, high) of that row; low begins a panel
};

template <typename T>
static inline QueryBlock query_block(const AttentionArgs<T>& args, int64_t row, int64_t first,
                                     int64_t tokens_per_block) {
  const int64_t count = min_of(tokens_per_block, args.length - first);
  const int64_t low = args.segment_start ? args.segment_start[row * args.length + first] : 0;
  return {row, first, count, low / kPanel<T> * kPanel<T>, first + count};
}

template <typename T>
static inline KeyRange key_range(const AttentionArgs<T>& args, const QueryBlock& block, int64_t token) {
  const int64_t position = block.first + token;
  const int64_t begin = args.segment_start ? args.segment_start[block.row * args.length + position] : 0;
  return {begin - block.low, position + 1 - block.low};
}

static inline uint64_t mask_row(int64_t sequence_head, int64_t length, int64_t position) {
  return static_cast<uint64_t>(sequence_head * length + position);
}

// scores[rows, keys] = stacked x panels, panel by panel.
template <typename T>
static inline void score_product(const AttentionShape& shape, int64_t rows, int64_t keys, int64_t head_dim,
                                 const T* stacked, const T* panels, T* scores) {
  constexpr int64_t kWidth = kPanel<T>;
  for (int64_t key = 0; key < keys; key += kWidth)
    tile_product(rows, min_of(kWidth, keys - key), head_dim, stacked, shape.width, 1, panels + key * head_dim, kWidth,
                 scores + key, shape.ld, false);
}

// `keys` and `values` are packed: transposed panels and padded rows.
template <typename T>
static void attend_forward(const AttentionArgs<T>& args, const AttentionShape& shape, const QueryBlock& block,
                           int64_t group, const T* key_panels, const T* value_rows, Matrix<T> out, T* lse, T* scratch) {
  const int64_t width = args.head_dim, keys = block.high - block.low, padded_keys = round_up(keys, 16);
  const int64_t base = block.row * args.length, rows = block.count * shape.repeat, first_head = group * shape.repeat;
  T* scores = scratch;
  T* queries = scores + shape.block_rows * shape.ld;
  T* result = queries + shape.block_rows * shape.width;
  T* inverse = result + shape.block_rows * shape.width;
  stack_heads(args.q, base + block.first, block.count, first_head * width, shape, width,
              T(1) / square_root(static_cast<T>(width)), queries);
  score_product(shape, rows, keys, width, queries, key_panels + block.low * width, scores);
  for (int64_t t = 0; t < block.count; ++t) {
    const KeyRange range = key_range(args, block, t);
    for (int64_t j = 0; j < shape.repeat; ++j) {
      const int64_t r = t * shape.repeat + j, head = first_head + j;
      T* s = scores + r * shape.ld;
      T largest, sum;
      softmax_row(s, range, padded_keys, &largest, &sum);
      lse[(base + block.first + t) * args.n_head + head] = largest + logarithm(sum);
      inverse[r] = T(1) / sum;
      if (args.dropout.rate > 0)
        apply_dropout(args.dropout, mask_row(block.row * args.n_head + head, args.length, block.first + t),
                      block.low + range.begin, block.low + range.end, s + range.begin);
    }
  }
  tile_product(rows, shape.width, keys, scores, shape.ld, 1, value_rows + block.low * shape.width, shape.width, result,
               shape.width, false);
  unstack_heads(result, base + block.first, block.count, first_head * width, shape, width, inverse, T(1), out);
}

template <typename T>
static void attention_forward(const AttentionArgs<T>& args, Matrix<T> out, T* lse, T* scratch) {
  const AttentionShape shape = attention_shape(args);
  const int64_t per_thread = attention_scratch(args, false), width = args.head_dim;
#pragma omp parallel
  {
    T* key_panels = scratch + omp_get_thread_num() * per_thread;
    T* value_rows = key_panels + shape.key_capacity * shape.width;
    T* own = value_rows + shape.key_capacity * shape.width;
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < args.rows * args.n_kv_head; ++task) {
      const int64_t row = task / args.n_kv_head, group = task % args.n_kv_head;
      pack_transposed(args.k, row * args.length, args.length, group * width, width, key_panels);
      pack_rows(args.v, row * args.length, args.length, group * width, width, shape.width, value_rows);
      for (int64_t first = 0; first < args.length; first += shape.tokens_per_block)
        attend_forward(args, shape, query_block(args, row, first, shape.tokens_per_block), group, key_panels,
                       value_rows, out, lse, own);
    }
  }
}

template <typename T>
struct PackedHead {
  T *key_panels, *value_panels, *key_rows;
  T *dkeys, *dvalues;  // padded rows, sums over the blocks
};

// Scores become probabilities, their gradients with respect to probabilities those with respect to scores.
template <typename T>
static inline void score_gradient(T* __restrict p, T* __restrict d, int64_t count, T log_sum, T delta) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const T e = exponential(p[i] - log_sum);
    p[i] = e;
    d[i] = e * (d[i] - delta);
  }
}

// Scores are computed again; with P = softmax and D = dO V^T:  dS = P * (D - rowsum(dO * O)).
template <typename T>
static void attend_backward(const AttentionArgs<T>& args, const AttentionShape& shape, const QueryBlock& block,
                            int64_t group, const PackedHead<T>& head_data, Matrix<const T> out, const T* lse,
                            Matrix<const T> dout, Matrix<T> dq, T* scratch) {
  const int64_t width = args.head_dim, keys = block.high - block.low, padded_keys = round_up(keys, 16), ld = shape.ld;
  const int64_t base = block.row * args.length, rows = block.count * shape.repeat, first_head = group * shape.repeat;
  const T scale = T(1) / square_root(static_cast<T>(width));
  T* probabilities = scratch;
  T* dscores = probabilities + shape.block_rows * ld;
  T* queries = dscores + shape.block_rows * ld;
  T* douts = queries + shape.block_rows * shape.width;
  T* dqueries = douts + shape.block_rows * shape.width;
  stack_heads(args.q, base + block.first, block.count, first_head * width, shape, width, scale, queries);
  stack_heads(dout, base + block.first, block.count, first_head * width, shape, width, T(1), douts);
  score_product(shape, rows, keys, width, queries, head_data.key_panels + block.low * width, probabilities);
  score_product(shape, rows, keys, width, douts, head_data.value_panels + block.low * width, dscores);
  for (int64_t t = 0; t < block.count; ++t) {
    const KeyRange range = key_range(args, block, t);
    const int64_t token = base + block.first + t;
    for (int64_t j = 0; j < shape.repeat; ++j) {
      const int64_t r = t * shape.repeat + j, head = first_head + j;
      T* p = probabilities + r * ld;
      T* d = dscores + r * ld;
      const T log_sum = lse[token * args.n_head + head];
      const T delta = dot(static_cast<const T*>(douts) + r * shape.width, out.row(token) + head * width, width);
      const uint64_t masked = mask_row(block.row * args.n_head + head, args.length, block.first + t);
      if (args.dropout.rate > 0)
        apply_dropout(args.dropout, masked, block.low + range.begin, block.low + range.end, d + range.begin);
      score_gradient(p + range.first(), d + range.first(), range.count() & -kRangeStep, log_sum, delta);
      if (args.dropout.rate > 0)
        apply_dropout(args.dropout, masked, block.low + range.begin, block.low + range.end, p + range.begin);
      fill(p, 0, range.begin, T(0));
      fill(p, range.end, padded_keys, T(0));
      fill(d, 0, range.begin, T(0));
      fill(d, range.end, padded_keys, T(0));
    }
  }
  T* dvalues = head_data.dvalues + block.low * shape.width;
  T* dkeys = head_data.dkeys + block.low * shape.width;
  tile_product(keys, shape.width, rows, probabilities, 1, ld, douts, shape.width, dvalues, shape.width, true);
  tile_product(keys, shape.width, rows, dscores, 1, ld, queries, shape.width, dkeys, shape.width, true);
  tile_product(rows, shape.width, keys, dscores, ld, 1, head_data.key_rows + block.low * shape.width, shape.width,
               dqueries, shape.width, false);
  unstack_heads(dqueries, base + block.first, block.count, first_head * width, shape, width,
                static_cast<const T*>(nullptr), scale, dq);
}

template <typename T>
static void attention_backward(const AttentionArgs<T>& args, Matrix<const T> out, const T* lse, Matrix<const T> dout,
                               Matrix<T> dq, Matrix<T> dk, Matrix<T> dv, T* scratch) {
  const AttentionShape shape = attention_shape(args);
  const int64_t width = args.head_dim, per_thread = attention_scratch(args, true),
                keys = shape.key_capacity * shape.width;
  const size_t row_bytes = sizeof(T) * static_cast<size_t>(width);
#pragma omp parallel
  {
    T* own = scratch + omp_get_thread_num() * per_thread;
    const PackedHead<T> head = {own, own + keys, own + 2 * keys, own + 3 * keys, own + 4 * keys};
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < args.rows * args.n_kv_head; ++task) {
      const int64_t row = task / args.n_kv_head, group = task % args.n_kv_head, base = row * args.length;
      pack_transposed(args.k, base, args.length, group * width, width, head.key_panels);
      pack_transposed(args.v, base, args.length, group * width, width, head.value_panels);
      pack_rows(args.k, base, args.length, group * width, width, shape.width, head.key_rows);
      __builtin_memset(head.dkeys, 0, sizeof(T) * 2 * static_cast<size_t>(keys));
      for (int64_t first = 0; first < args.length; first += shape.tokens_per_block)
        attend_backward(args, shape, query_block(args, row, first, shape.tokens_per_block), group, head, out, lse, dout,
                        dq, own + 5 * keys);
      for (int64_t t = 0; t < args.length; ++t) {
        __builtin_memcpy(dk.row(base + t) + group * width, head.dkeys + t * shape.width, row_bytes);
        __builtin_memcpy(dv.row(base + t) + group * width, head.dvalues + t * shape.width, row_bytes);
      }
    }
  }
}
