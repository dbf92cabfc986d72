// Attention of new tokens over a key-value cache.

// out = sum over t of p[t] * values[t], a pack of columns at a time: its four partial sums (keys 0, 4, 8, ..., keys 1, 5, ...) stay in
// registers and are added at the end.
template <typename T>
static inline void weighted_values(const T* p, T scale, const T* values, int64_t keys, int64_t width, T* out) {
  using Vector = typename Pack<T>::Vector;
  constexpr int64_t kLanes = Pack<T>::kLanes;
  int64_t column = 0;
  for (; column + kLanes <= width; column += kLanes) {
    Vector sum[4] = {};
    int64_t t = 0;
    for (; t + 4 <= keys; t += 4)
      for (int64_t u = 0; u < 4; ++u) sum[u] += p[t + u] * load(values + (t + u) * width + column);
    for (; t < keys; ++t) sum[0] += p[t] * load(values + t * width + column);
    const Vector total = scale * ((sum[0] + sum[1]) + (sum[2] + sum[3]));
    __builtin_memcpy(out + column, &total, sizeof total);
  }
  for (; column < width; ++column) {
    T total = 0;
    for (int64_t t = 0; t < keys; ++t) total += p[t] * values[t * width + column];
    out[column] = scale * total;
  }
}

// One new token: the scores of its heads are dot products over the cached keys, read once from memory.
template <typename T>
static void attend_one(const AttentionArgs<T>& args, const T* q, const T* k, const T* v, int64_t keys,
                       const AttentionShape& shape, T* out, T* scores) {
  const int64_t width = args.head_dim, repeat = shape.repeat, ld = shape.ld;
  const T scale = T(1) / square_root(static_cast<T>(width));
  for (int64_t t = 0; t < keys; ++t)
    for (int64_t j = 0; j < repeat; ++j) scores[j * ld + t] = scale * dot(q + j * width, k + t * width, width);
  for (int64_t j = 0; j < repeat; ++j) {
    T largest, sum;
    softmax_row(scores + j * ld, {0, keys}, keys, &largest, &sum);
    weighted_values(scores + j * ld, T(1) / sum, v, keys, width, out + j * width);
  }
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
    T* key_panels = inverse + shape.block_rows;
    T* value_rows = key_panels + shape.key_capacity * shape.width;
#pragma omp for schedule(dynamic)
    for (int64_t task = 0; task < tasks; ++task) {
      const CachedSequence& sequence = sequences[task / args.n_kv_head];
      const int64_t group = task % args.n_kv_head, column = group * shape.repeat * width;
      T* k = cache_k + (sequence.cache_row * args.n_kv_head + group) * capacity * width;
      T* v = cache_v + (sequence.cache_row * args.n_kv_head + group) * capacity * width;
      for (int64_t t = 0; t < sequence.count; ++t) {
        const size_t bytes = sizeof(T) * static_cast<size_t>(width);
        __builtin_memcpy(k + (sequence.cached + t) * width, args.k.row(sequence.first + t) + group * width, bytes);
        __builtin_memcpy(v + (sequence.cached + t) * width, args.v.row(sequence.first + t) + group * width, bytes);
      }
      if (sequence.count == 1) {
        attend_one(args, args.q.row(sequence.first) + column, k, v, sequence.cached + 1, shape,
                   out.row(sequence.first) + column, scores);
        continue;
      }
      const int64_t all = sequence.cached + sequence.count;
      pack_transposed({k, all, width, width}, 0, all, 0, width, key_panels);
      pack_rows({v, all, width, width}, 0, all, 0, width, shape.width, value_rows);
      for (int64_t first = 0; first < sequence.count; first += shape.tokens_per_block) {
        const int64_t count = min_of(shape.tokens_per_block, sequence.count - first), rows = count * shape.repeat;
        const int64_t keys = sequence.cached + first + count;
        stack_heads(args.q, sequence.first + first, count, column, shape, width,
                    T(1) / square_root(static_cast<T>(width)), queries);
        score_product(shape, rows, keys, width, queries, key_panels, scores);
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
