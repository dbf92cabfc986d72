// Attention of new tokens over a key-value cache. Keys are cached in panels, as a product wants them.

// out [rows, width] = weights [rows, keys] x values [keys, width]. A row's result does not depend on the rows beside it.
template <typename T>
static inline void weighted_values(int64_t rows, int64_t keys, int64_t width, const T* weights, int64_t ld, const T* values, T* out) {
  constexpr int64_t kLanes = TileVector<T>::kLanes;
  in_row_tiles(rows, [&]<int kRows>(int64_t row) {
    // Few sums are not enough to hide the time of an addition.
    constexpr int kVectors = kRows > 2 ? kTileVectors : 4;
    const T* p = weights + row * ld;
    T* to = out + row * width;
    int64_t column = 0;
    for (; column + kVectors * kLanes <= width; column += kVectors * kLanes)
      tile<T, kVectors, kRows>(keys, p, ld, 1, values + column, width, to + column, width, false);
    for (; column + 2 * kLanes <= width; column += 2 * kLanes)
      tile<T, 2, kRows>(keys, p, ld, 1, values + column, width, to + column, width, false);
    if (column + kLanes <= width) {
      tile<T, 1, kRows>(keys, p, ld, 1, values + column, width, to + column, width, false);
      column += kLanes;
    }
    for (; column < width; ++column)
      for (int64_t r = 0; r < kRows; ++r) {
        T total = 0;
        for (int64_t t = 0; t < keys; ++t) total += p[r * ld + t] * values[t * width + column];
        to[r * width + column] = total;
      }
  });
}

// One new token: its heads' scores are products with the cached panels of keys, read once from memory.
template <typename T>
static void attend_one(const AttentionShape& shape, const T* queries, const T* key_panels, const T* values, int64_t keys,
                       int64_t width, T* out, T* scores, T* inverse) {
  constexpr int64_t kWidth = kPanel<T>;
  for (int64_t key = 0; key < keys; key += kWidth)
    few_rows_product(shape.repeat, min_of(kWidth, keys - key), width, queries, shape.width, key_panels + key * width,
                     scores + key, shape.ld, false);
  for (int64_t j = 0; j < shape.repeat; ++j) {
    T largest, sum;
    softmax_row(scores + j * shape.ld, {0, keys}, keys, &largest, &sum);
    inverse[j] = T(1) / sum;
  }
  weighted_values(shape.repeat, keys, width, scores, shape.ld, values, out);
  for (int64_t j = 0; j < shape.repeat; ++j)
    for (int64_t i = 0; i < width; ++i) out[j * width + i] *= inverse[j];
}

template <typename T>
static void cached_attention(const AttentionArgs<T>& args, const CachedSequence* sequences, int64_t sequence_count,
                             T* cache_k, T* cache_v, int64_t capacity, Matrix<T> out, T* scratch) {
  const AttentionShape shape = attention_shape(args);
  const int64_t width = args.head_dim, per_thread = attention_scratch(args, false), ld = shape.ld;
  const int64_t tasks = sequence_count * args.n_kv_head;
#pragma omp parallel if (tasks > 1)
  {
    T* scores = scratch + omp_get_thread_num() * per_thread;
    T* queries = scores + shape.block_rows * ld;
    T* result = queries + shape.block_rows * shape.width;
    T* inverse = result + shape.block_rows * shape.width;
    T* value_rows = inverse + shape.block_rows;
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < tasks; ++task) {
      const CachedSequence& sequence = sequences[task / args.n_kv_head];
      const int64_t group = task % args.n_kv_head, column = group * shape.repeat * width;
      T* k = cache_k + (sequence.cache_row * args.n_kv_head + group) * capacity * width;
      T* v = cache_v + (sequence.cache_row * args.n_kv_head + group) * capacity * width;
      for (int64_t t = 0; t < sequence.count; ++t) {
        const int64_t place = sequence.cached + t;
        const T* key = args.k.row(sequence.first + t) + group * width;
        T* lane = k + place / kPanel<T> * kPanel<T> * width + place % kPanel<T>;
        for (int64_t i = 0; i < width; ++i) lane[i * kPanel<T>] = key[i];
        __builtin_memcpy(v + place * width, args.v.row(sequence.first + t) + group * width,
                         sizeof(T) * static_cast<size_t>(width));
      }
      const T scale = T(1) / square_root(static_cast<T>(width));
      if (sequence.count == 1 || sequence.each) {
        for (int64_t token = sequence.first; token < sequence.first + sequence.count; ++token) {
          stack_heads(args.q, token, 1, column, shape, width, scale, queries);
          attend_one(shape, queries, k, v, sequence.cached + (token - sequence.first) + 1, width, out.row(token) + column, scores, inverse);
        }
        continue;
      }
      const int64_t all = sequence.cached + sequence.count;
      pack_rows({v, all, width, width}, 0, all, 0, width, shape.width, value_rows);
      for (int64_t first = 0; first < sequence.count; first += shape.tokens_per_block) {
        const int64_t count = min_of(shape.tokens_per_block, sequence.count - first), rows = count * shape.repeat;
        const int64_t keys = sequence.cached + first + count;
        stack_heads(args.q, sequence.first + first, count, column, shape, width, scale, queries);
        score_product(shape, rows, keys, width, queries, k, scores);
        for (int64_t r = 0; r < rows; ++r) {
          const int64_t end = sequence.cached + first + r / shape.repeat + 1;
          T largest, sum;
          softmax_row(scores + r * ld, {0, end}, keys, &largest, &sum);
          inverse[r] = T(1) / sum;
        }
        tile_product(rows, shape.width, keys, scores, ld, 1, value_rows, shape.width, result, shape.width, false);
        unstack_heads(result, sequence.first + first, count, column, shape, width, inverse, T(1), out);
      }
    }
  }
}
