// Softmax weights of one row of logits, to draw a token from.

// The largest value; NaN when there is one.
static inline float largest_value(const float* values, int64_t count) {
  float largest = values[0];
  int32_t all_numbers = 1;
#pragma omp simd reduction(max : largest) reduction(& : all_numbers)
  for (int64_t i = 0; i < count; ++i) {
    largest = values[i] > largest ? values[i] : largest;
    all_numbers &= values[i] == values[i];
  }
  return all_numbers ? largest : __builtin_nanf("");
}

static inline float block_maximum(const float* values, int64_t count) {
  float largest = values[0];
#pragma omp simd reduction(max : largest)
  for (int64_t i = 0; i < count; ++i) largest = values[i] > largest ? values[i] : largest;
  return largest;
}

// The largest value of every kMaximaBlock, the last of which may be shorter.
static void block_maxima(const float* values, int64_t count, float* maxima) {
  int64_t first = 0;
  for (; first + kMaximaBlock <= count; first += kMaximaBlock) *maxima++ = block_maximum(values + first, kMaximaBlock);
  if (first < count) *maxima = block_maximum(values + first, count - first);
}

static inline double block_weights(const float* __restrict values, int64_t count, float largest, float scale, float* __restrict weights) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) {
    const float x = (values[i] - largest) * scale, e = exponential(x);
    weights[i] = x < -87.0f ? 0.0f : e;
    sum += weights[i];
  }
  return sum;
}

static double sampling_weights(const float* values, int64_t count, float largest, float scale, float* weights, double* block_sums) {
  double total = 0;
  for (int64_t first = 0; first < count; first += kSamplingBlock) {
    // The compiler sees whole vectors where there are some.
    const double sum = first + kSamplingBlock <= count ? block_weights(values + first, kSamplingBlock, largest, scale, weights + first)
                                                       : block_weights(values + first, count - first, largest, scale, weights + first);
    *block_sums++ = sum;
    total += sum;
  }
  return total;
}
