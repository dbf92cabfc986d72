// Causal attention in blocks of query rows. The query heads that share a key-value head are stacked
// into one block, so grouped heads cost one matrix product and few masked scores are computed.
// A block of scores stays in the cache of its core; the whole score matrix never exists.

constexpr int64_t kQueryRows = 128;

struct AttentionShape {
  int64_t repeat;           // query heads per key-value head
  int64_t tokens_per_block;
  int64_t block_rows;       // stacked (token, head) rows of a full block
  int64_t key_capacity;
};

template <typename T>
static inline AttentionShape attention_shape(const AttentionArgs<T>& args) {
  const int64_t repeat = args.n_head / args.n_kv_head, tokens = max_of(1, kQueryRows / repeat);
  return {repeat, tokens, tokens * repeat, blocks_of(args.length, 16) * 16};
}

template <typename T>
static int64_t attention_scratch(const AttentionArgs<T>& args, bool backward) {
  const AttentionShape shape = attention_shape(args);
  const int64_t scores = shape.block_rows * shape.key_capacity, rows = blocks_of(shape.block_rows * args.head_dim, 16) * 16;
  const int64_t keys = shape.key_capacity * args.head_dim;
  return backward ? 2 * scores + 3 * rows + 2 * keys : scores + 2 * rows;
}

// Stacks the heads of one group: out[(token, head), head_dim] = factor * x[token, head].
template <typename T>
static inline void stack_heads(Matrix<const T> x, int64_t first, int64_t count, int64_t column, int64_t repeat, int64_t width,
                               T factor, T* __restrict out) {
  for (int64_t t = 0; t < count; ++t) {
    const T* __restrict from = x.row(first + t) + column;
    T* __restrict to = out + t * repeat * width;
#pragma omp simd
    for (int64_t i = 0; i < repeat * width; ++i) to[i] = factor * from[i];
  }
}

// What one row of a block may look at: keys [begin, end), counted from the block's first key.
struct KeyRange {
  int64_t begin, end;
};

// exp(s - max) in place, zeros outside the range; returns the maximum and the sum.
template <typename T>
static inline void softmax_row(T* __restrict s, KeyRange range, int64_t keys, T* largest_out, T* sum_out) {
  T largest = s[range.begin];
#pragma omp simd reduction(max : largest)
  for (int64_t i = range.begin; i < range.end; ++i) largest = s[i] > largest ? s[i] : largest;
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = range.begin; i < range.end; ++i) {
    const T e = exponential(s[i] - largest);
    s[i] = e;
    sum += e;
  }
  for (int64_t i = 0; i < range.begin; ++i) s[i] = T(0);
  for (int64_t i = range.end; i < keys; ++i) s[i] = T(0);
  *largest_out = largest;
  *sum_out = sum;
}

struct QueryBlock {
  int64_t row, first, count;  // tokens [first, first + count) of batch row `row`
  int64_t low, high;          // keys [low, high) of that row
};

template <typename T>
static inline QueryBlock query_block(const AttentionArgs<T>& args, int64_t row, int64_t first, int64_t tokens_per_block) {
  const int64_t count = min_of(tokens_per_block, args.length - first);
  const int64_t low = args.segment_start ? args.segment_start[row * args.length + first] : 0;
  return {row, first, count, low, first + count};
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

template <typename T>
static void attend_forward(const AttentionArgs<T>& args, const AttentionShape& shape, const QueryBlock& block, int64_t group,
                           Matrix<T> out, T* lse, T* scratch) {
  const int64_t width = args.head_dim, keys = block.high - block.low, ld = shape.key_capacity;
  const int64_t base = block.row * args.length, rows = block.count * shape.repeat;
  T* scores = scratch;
  T* queries = scores + shape.block_rows * ld;
  T* result = queries + blocks_of(shape.block_rows * width, 16) * 16;
  const T* k = args.k.row(base + block.low) + group * width;
  const T* v = args.v.row(base + block.low) + group * width;
  const int64_t first_head = group * shape.repeat;
  stack_heads(args.q, base + block.first, block.count, first_head * width, shape.repeat, width,
              T(1) / square_root(static_cast<T>(width)), queries);
  gemm(false, true, rows, keys, width, T(1), queries, width, k, args.k.ld, T(0), scores, ld);
  for (int64_t t = 0; t < block.count; ++t) {
    const KeyRange range = key_range(args, block, t);
    for (int64_t j = 0; j < shape.repeat; ++j) {
      T* s = scores + (t * shape.repeat + j) * ld;
      T largest, sum;
      softmax_row(s, range, keys, &largest, &sum);
      const int64_t token = base + block.first + t, head = first_head + j;
      lse[token * args.n_head + head] = largest + logarithm(sum);
      const T inverse = T(1) / sum;
#pragma omp simd
      for (int64_t i = range.begin; i < range.end; ++i) s[i] *= inverse;
      if (args.dropout.rate > 0)
        apply_dropout(args.dropout, mask_row(block.row * args.n_head + head, args.length, block.first + t),
                      block.low + range.begin, block.low + range.end, s + range.begin);
    }
  }
  gemm(false, false, rows, width, keys, T(1), scores, ld, v, args.v.ld, T(0), result, width);
  for (int64_t t = 0; t < block.count; ++t)
    __builtin_memcpy(out.row(base + block.first + t) + first_head * width, result + t * shape.repeat * width,
                     sizeof(T) * static_cast<size_t>(shape.repeat * width));
}

template <typename T>
static void attention_forward(const AttentionArgs<T>& args, Matrix<T> out, T* lse, T* scratch) {
  const AttentionShape shape = attention_shape(args);
  const int64_t per_thread = attention_scratch(args, false), blocks = blocks_of(args.length, shape.tokens_per_block);
  const int64_t tasks = args.rows * args.n_kv_head * blocks;
#pragma omp parallel
  {
    T* own = scratch + omp_get_thread_num() * per_thread;
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < tasks; ++task) {
      const int64_t row = task / (args.n_kv_head * blocks), group = task / blocks % args.n_kv_head;
      attend_forward(args, shape, query_block(args, row, task % blocks * shape.tokens_per_block, shape.tokens_per_block), group,
                     out, lse, own);
    }
  }
}

// Scores are computed again; with P = softmax and D = dO V^T:  dS = P * (D - rowsum(dO * O)).
template <typename T>
static void attend_backward(const AttentionArgs<T>& args, const AttentionShape& shape, const QueryBlock& block, int64_t group,
                            Matrix<const T> out, const T* lse, Matrix<const T> dout, Matrix<T> dq, T* dk, T* dv, T* scratch) {
  const int64_t width = args.head_dim, keys = block.high - block.low, ld = shape.key_capacity;
  const int64_t base = block.row * args.length, rows = block.count * shape.repeat, first_head = group * shape.repeat;
  const int64_t stacked = blocks_of(shape.block_rows * width, 16) * 16;
  const T scale = T(1) / square_root(static_cast<T>(width));
  T* probabilities = scratch;
  T* dscores = probabilities + shape.block_rows * ld;
  T* queries = dscores + shape.block_rows * ld;
  T* douts = queries + stacked;
  T* dqueries = douts + stacked;
  const T* k = args.k.row(base + block.low) + group * width;
  const T* v = args.v.row(base + block.low) + group * width;
  stack_heads(args.q, base + block.first, block.count, first_head * width, shape.repeat, width, scale, queries);
  stack_heads(dout, base + block.first, block.count, first_head * width, shape.repeat, width, T(1), douts);
  gemm(false, true, rows, keys, width, T(1), queries, width, k, args.k.ld, T(0), probabilities, ld);
  gemm(false, true, rows, keys, width, T(1), douts, width, v, args.v.ld, T(0), dscores, ld);
  for (int64_t t = 0; t < block.count; ++t) {
    const KeyRange range = key_range(args, block, t);
    const int64_t token = base + block.first + t;
    for (int64_t j = 0; j < shape.repeat; ++j) {
      const int64_t r = t * shape.repeat + j, head = first_head + j;
      T* __restrict p = probabilities + r * ld;
      T* __restrict d = dscores + r * ld;
      const T log_sum = lse[token * args.n_head + head];
      const T delta = dot(douts + r * width, out.row(token) + head * width, width);
      const uint64_t masked = mask_row(block.row * args.n_head + head, args.length, block.first + t);
      if (args.dropout.rate > 0)
        apply_dropout(args.dropout, masked, block.low + range.begin, block.low + range.end, d + range.begin);
#pragma omp simd
      for (int64_t i = range.begin; i < range.end; ++i) {
        const T e = exponential(p[i] - log_sum);
        p[i] = e;
        d[i] = e * (d[i] - delta);
      }
      if (args.dropout.rate > 0)
        apply_dropout(args.dropout, masked, block.low + range.begin, block.low + range.end, p + range.begin);
      for (int64_t i = 0; i < range.begin; ++i) p[i] = d[i] = T(0);
      for (int64_t i = range.end; i < keys; ++i) p[i] = d[i] = T(0);
    }
  }
  gemm(true, false, keys, width, rows, T(1), probabilities, ld, douts, width, T(1), dv + block.low * width, width);
  gemm(true, false, keys, width, rows, T(1), dscores, ld, queries, width, T(1), dk + block.low * width, width);
  gemm(false, false, rows, width, keys, scale, dscores, ld, k, args.k.ld, T(0), dqueries, width);
  for (int64_t t = 0; t < block.count; ++t)
    __builtin_memcpy(dq.row(base + block.first + t) + first_head * width, dqueries + t * shape.repeat * width,
                     sizeof(T) * static_cast<size_t>(shape.repeat * width));
}

template <typename T>
static void attention_backward(const AttentionArgs<T>& args, Matrix<const T> out, const T* lse, Matrix<const T> dout,
                               Matrix<T> dq, Matrix<T> dk, Matrix<T> dv, T* scratch) {
  const AttentionShape shape = attention_shape(args);
  const int64_t width = args.head_dim, per_thread = attention_scratch(args, true), keys = shape.key_capacity * width;
#pragma omp parallel
  {
    T* own_dk = scratch + omp_get_thread_num() * per_thread;
    T* own_dv = own_dk + keys;
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < args.rows * args.n_kv_head; ++task) {
      const int64_t row = task / args.n_kv_head, group = task % args.n_kv_head;
      __builtin_memset(own_dk, 0, sizeof(T) * 2 * static_cast<size_t>(keys));
      for (int64_t first = 0; first < args.length; first += shape.tokens_per_block)
        attend_backward(args, shape, query_block(args, row, first, shape.tokens_per_block), group, out, lse, dout, dq, own_dk,
                        own_dv, own_dv + keys);
      for (int64_t t = 0; t < args.length; ++t) {
        __builtin_memcpy(dk.row(row * args.length + t) + group * width, own_dk + t * width, sizeof(T) * static_cast<size_t>(width));
        __builtin_memcpy(dv.row(row * args.length + t) + group * width, own_dv + t * width, sizeof(T) * static_cast<size_t>(width));
      }
    }
  }
}
