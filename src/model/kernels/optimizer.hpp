// Sums and updates over flat float32 buffers.

static double squared_norm(const float* values, int64_t count, double* partial) {
  const int64_t blocks = blocks_of(count, kNormBlock);
#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    const float* __restrict v = values + block * kNormBlock;
    const int64_t size = min_of(kNormBlock, count - block * kNormBlock);
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < size; ++i) sum += static_cast<double>(v[i]) * static_cast<double>(v[i]);
    partial[block] = sum;
  }
  double total = 0;
  for (int64_t block = 0; block < blocks; ++block) total += partial[block];
  return total;
}

static void adamw(const AdamWRule& o, int64_t begin, int64_t end, float* p_, float* g_, float* m_, float* v_, bool clear) {
  const AdamWRule c = o;
  const int64_t blocks = blocks_of(end - begin, kNormBlock);
#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = begin + block * kNormBlock, size = min_of(kNormBlock, end - first);
    float* __restrict p = p_ + first;
    float* __restrict g = g_ + first;
    float* __restrict m = m_ + first;
    float* __restrict v = v_ + first;
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) {
      const float gradient = g[i] * c.gradient_scale;
      m[i] = m[i] + (1.0f - c.beta1) * (gradient - m[i]);
      v[i] = c.beta2 * v[i] + (1.0f - c.beta2) * gradient * gradient;
      const float denominator = __builtin_sqrtf(v[i]) * c.second_correction + c.epsilon;
      p[i] = p[i] * c.decay_factor - c.step_size * (m[i] / denominator);
    }
    if (clear) __builtin_memset(g, 0, sizeof(float) * static_cast<size_t>(size));
  }
}

static void ema(float decay, int64_t count, const float* values_, float* average_) {
  const int64_t blocks = blocks_of(count, kNormBlock);
#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * kNormBlock, size = min_of(kNormBlock, count - first);
    const float* __restrict values = values_ + first;
    float* __restrict average = average_ + first;
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) average[i] = average[i] + (1.0f - decay) * (values[i] - average[i]);
  }
}
