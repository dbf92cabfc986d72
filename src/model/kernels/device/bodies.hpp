// The arithmetic of the GPU's kernels, a row (or an element) at a time. float32 inside, whatever the matrices hold.
// N is the number of neighbouring elements that are read at once; a team shares the columns of a row, and an element
// belongs to the same member in every pass, so that what a member wrote it may read again without waiting.
#pragma once

#include "model/kernels/adamw_rule.hpp"
#include "model/kernels/device/team.hpp"

namespace picochat::model::kernels::device {

// RMSNorm (Zhang and Sennrich 2019). copy, when given, receives x.
template <int N, typename T, typename Team>
PICOCHAT_DEVICE void rms_norm_row(const Team& team, const T* x, const float* weight, float eps, int64_t columns, T* y,
                                  float* rstd, T* copy) {
  float square = 0;
  for (int64_t i = team.rank() * N; i < columns; i += team.size() * N) {
    float v[N];
    load(x + i, v);
    for (int n = 0; n < N; ++n) square += v[n] * v[n];
    if (copy) store(v, copy + i);
  }
  const float scale = 1.0f / sqrtf(team.sum(square) / static_cast<float>(columns) + eps);
  if (team.rank() == 0) *rstd = scale;
  for (int64_t i = team.rank() * N; i < columns; i += team.size() * N) {
    float v[N], w[N];
    load(x + i, v);
    load(weight + i, w);
    for (int n = 0; n < N; ++n) v[n] = v[n] * scale * w[n];
    store(v, y + i);
  }
}

// Where pack p of a member of the team begins. Members lie side by side, so that a team reads neighbouring memory.
template <int N, typename Team>
PICOCHAT_DEVICE int64_t pack_at(const Team& team, int p) {
  return (p * team.size() + team.rank()) * N;
}

// The share that a member of the team has in the gradient of a norm's weight, P packs of N.
template <int N, int P>
struct Sums {
  float value[P][N];
  PICOCHAT_DEVICE void clear() {
    PICOCHAT_UNROLL
    for (int p = 0; p < P; ++p)
      PICOCHAT_UNROLL
      for (int n = 0; n < N; ++n) value[p][n] = 0;
  }
};

// sums: this row's share is added.
template <int N, int P, typename T, typename Team>
PICOCHAT_DEVICE void rms_norm_row_backward(const Team& team, const T* dy, const T* x, const float* weight, float rstd,
                                           int64_t columns, bool accumulate, T* dx, Sums<N, P>& sums) {
  float dot = 0;
  PICOCHAT_UNROLL
  for (int p = 0; p < P; ++p) {
    const int64_t i = pack_at<N>(team, p);
    if (i >= columns) continue;
    float g[N], v[N], w[N];
    load(dy + i, g);
    load(x + i, v);
    load(weight + i, w);
    for (int n = 0; n < N; ++n) dot += g[n] * w[n] * v[n];
  }
  const float pull = team.sum(dot) * rstd * rstd * rstd / static_cast<float>(columns);
  PICOCHAT_UNROLL
  for (int p = 0; p < P; ++p) {
    const int64_t i = pack_at<N>(team, p);
    if (i >= columns) continue;
    float g[N], v[N], w[N], d[N];
    load(dy + i, g);
    load(x + i, v);
    load(weight + i, w);
    if (accumulate) load(dx + i, d);
    for (int n = 0; n < N; ++n) {
      sums.value[p][n] += g[n] * v[n] * rstd;
      const float value = g[n] * w[n] * rstd - v[n] * pull;
      d[n] = accumulate ? d[n] + value : value;
    }
    store(d, dx + i);
  }
}

// The half-rotation of RoPE (Su et al. 2021) at one position, held by a team for all heads of a token.
template <int N, int P>
struct Rotation {
  bool on;
  float cosine[P][N], sine[P][N];
};

// cosine null: no rotation.
template <int N, int P, typename Team>
PICOCHAT_DEVICE void load_rotation(const Team& team, const float* cosine, const float* sine, int64_t half, Rotation<N, P>& rotation) {
  rotation.on = cosine != nullptr;
  PICOCHAT_UNROLL
  for (int p = 0; p < P; ++p) {
    const int64_t i = pack_at<N>(team, p);
    if (!cosine || i >= half) continue;
    load(cosine + i, rotation.cosine[p]);
    load(sine + i, rotation.sine[p]);
  }
}

// One head: per-head RMSNorm (weight null: none), then the rotation.
template <int N, int P, typename T, typename Team>
PICOCHAT_DEVICE void qk_head(const Team& team, const T* in, const float* weight, const Rotation<N, P>& rotation,
                             int64_t width, float eps, T* out, float* rstd) {
  const int64_t half = width / 2;
  float first[P][N], second[P][N], square = 0, scale = 1;
  PICOCHAT_UNROLL
  for (int p = 0; p < P; ++p) {
    const int64_t i = pack_at<N>(team, p);
    if (i >= half) continue;
    load(in + i, first[p]);
    load(in + half + i, second[p]);
    for (int n = 0; n < N; ++n) square += first[p][n] * first[p][n] + second[p][n] * second[p][n];
  }
  if (weight) {
    scale = 1.0f / sqrtf(team.sum(square) / static_cast<float>(width) + eps);
    if (team.rank() == 0) *rstd = scale;
  }
  PICOCHAT_UNROLL
  for (int p = 0; p < P; ++p) {
    const int64_t i = pack_at<N>(team, p);
    if (i >= half) continue;
    float w[N], v[N];
    if (weight) {
      load(weight + i, w);
      load(weight + half + i, v);
    }
    for (int n = 0; n < N; ++n) {
      const float a = weight ? first[p][n] * scale * w[n] : first[p][n], b = weight ? second[p][n] * scale * v[n] : second[p][n];
      first[p][n] = rotation.on ? a * rotation.cosine[p][n] - b * rotation.sine[p][n] : a;
      second[p][n] = rotation.on ? b * rotation.cosine[p][n] + a * rotation.sine[p][n] : b;
    }
    store(first[p], out + i);
    store(second[p], out + half + i);
  }
}

// From the gradient of one head's output to that of its input; they may be in one place. first, second: the shares in the gradient of the weight's halves.
template <int N, int P, typename T, typename Team>
PICOCHAT_DEVICE void qk_head_backward(const Team& team, const T* in, const float* weight, const Rotation<N, P>& rotation,
                                      float rstd, int64_t width, const T* from, T* gradient, Sums<N, P>& first, Sums<N, P>& second) {
  const int64_t half = width / 2;
  float g[P][N], h[P][N], a[P][N], b[P][N], dot = 0;
  PICOCHAT_UNROLL
  for (int p = 0; p < P; ++p) {
    const int64_t i = pack_at<N>(team, p);
    if (i >= half) continue;
    load(from + i, g[p]);
    load(from + half + i, h[p]);
    for (int n = 0; n < N && rotation.on; ++n) {
      const float c = rotation.cosine[p][n], s = rotation.sine[p][n], turned = g[p][n] * c + h[p][n] * s;
      h[p][n] = h[p][n] * c - g[p][n] * s;
      g[p][n] = turned;
    }
    if (!weight) continue;
    float w[N], v[N];
    load(in + i, a[p]);
    load(in + half + i, b[p]);
    load(weight + i, w);
    load(weight + half + i, v);
    for (int n = 0; n < N; ++n) {
      first.value[p][n] += g[p][n] * a[p][n] * rstd;
      second.value[p][n] += h[p][n] * b[p][n] * rstd;
      g[p][n] *= w[n];
      h[p][n] *= v[n];
      dot += g[p][n] * a[p][n] + h[p][n] * b[p][n];
    }
  }
  const float pull = weight ? team.sum(dot) * rstd * rstd * rstd / static_cast<float>(width) : 0;
  PICOCHAT_UNROLL
  for (int p = 0; p < P; ++p) {
    const int64_t i = pack_at<N>(team, p);
    if (i >= half) continue;
    for (int n = 0; n < N && weight; ++n) {
      g[p][n] = g[p][n] * rstd - a[p][n] * pull;
      h[p][n] = h[p][n] * rstd - b[p][n] * pull;
    }
    store(g[p], gradient + i);
    store(h[p], gradient + half + i);
  }
}

// SwiGLU (Shazeer 2020): h = silu(gate) * up.
template <int N, typename T>
PICOCHAT_DEVICE void swiglu_pack(const T* gate, const T* up, T* h) {
  float g[N], u[N];
  load(gate, g);
  load(up, u);
  for (int n = 0; n < N; ++n) g[n] = g[n] / (1.0f + expf(-g[n])) * u[n];
  store(g, h);
}

// gate and up become their gradients; h holds the gradient of the output and becomes that output again.
template <int N, typename T>
PICOCHAT_DEVICE void swiglu_backward_pack(T* gate, T* up, T* h) {
  float g[N], u[N], d[N];
  load(gate, g);
  load(up, u);
  load(h, d);
  for (int n = 0; n < N; ++n) {
    const float sigmoid = 1.0f / (1.0f + expf(-g[n])), silu = g[n] * sigmoid, dy = d[n], value = u[n];
    d[n] = silu * value;
    u[n] = dy * silu;
    g[n] = dy * value * (sigmoid + silu * (1.0f - sigmoid));
  }
  store(g, gate);
  store(u, up);
  store(d, h);
}

template <int N, typename T, typename Team>
PICOCHAT_DEVICE void copy_row(const Team& team, const T* from, int64_t columns, T* to) {
  for (int64_t i = team.rank() * N; i < columns; i += team.size() * N) {
    float v[N];
    load(from + i, v);
    store(v, to + i);
  }
}

// The tokens are sorted; order[p] is the row of dx that sorted token p came from. The team at the first place of a
// run of equal tokens adds the whole run, in its order: no two teams write to one row, and the sum is always the same.
template <int N, typename T, typename Team>
PICOCHAT_DEVICE void embedding_backward_run(const Team& team, const int32_t* sorted, const int64_t* order, int64_t count,
                                            int64_t place, const T* dx, int64_t ld, int64_t columns, float* dtable) {
  const int32_t token = sorted[place];
  if (place > 0 && sorted[place - 1] == token) return;
  int64_t end = place + 1;
  while (end < count && sorted[end] == token) ++end;
  for (int64_t i = team.rank() * N; i < columns; i += team.size() * N) {
    float sum[N] = {};
#ifdef __CUDA_ARCH__
#pragma unroll 4
#endif
    for (int64_t p = place; p < end; ++p) {
      float v[N];
      load(dx + order[p] * ld + i, v);
      for (int n = 0; n < N; ++n) sum[n] += v[n];
    }
    float* target = dtable + token * columns + i;
    for (int n = 0; n < N; ++n) target[n] += sum[n];
  }
}

PICOCHAT_DEVICE float soft_capped(float logit, float cap) { return cap > 0 ? cap * tanhf(logit / cap) : logit; }

// nll of one row of logits, and with `gradient` the gradient of weight * nll in their place. A row of weight 0 counts
// for nothing, whatever its logits are: nll 0, gradient 0.
template <int N, typename T, typename Team>
PICOCHAT_DEVICE void cross_entropy_row(const Team& team, T* logits, int32_t target, float weight, float cap,
                                       bool gradient, int64_t vocabulary, double* nll) {
  if (weight == 0) {
    if (team.rank() == 0) *nll = 0;
    const float zero[N] = {};
    for (int64_t i = team.rank() * N; gradient && i < vocabulary; i += team.size() * N) store(zero, logits + i);
    return;
  }
  const float wanted = team.rank() == 0 ? soft_capped(to_float(logits[target]), cap) : 0;
  float largest = -INFINITY, sum = 0;
  for (int64_t i = team.rank() * N; i < vocabulary; i += team.size() * N) {
    float v[N];
    load(logits + i, v);
    float top = largest;
    for (int n = 0; n < N; ++n) {
      v[n] = soft_capped(v[n], cap);
      top = v[n] > top ? v[n] : top;
    }
    sum *= largest == top ? 1.0f : expf(largest - top);
    largest = top;
    for (int n = 0; n < N; ++n) sum += expf(v[n] - largest);
  }
  const float top = team.max(largest);
  sum = team.sum(largest == top ? sum : sum * expf(largest - top));
  if (team.rank() == 0) *nll = static_cast<double>(logf(sum)) + static_cast<double>(top) - static_cast<double>(wanted);
  if (!gradient) return;
  const float factor = weight / sum;
  for (int64_t i = team.rank() * N; i < vocabulary; i += team.size() * N) {
    float v[N];
    load(logits + i, v);
    for (int n = 0; n < N; ++n) {
      const float capped = soft_capped(v[n], cap);
      float value = expf(capped - top) * factor - (i + n == target ? weight : 0.0f);
      if (cap > 0) value *= 1.0f - capped / cap * (capped / cap);
      v[n] = value;
    }
    store(v, logits + i);
  }
}

// Attention of one new token and head over `keys` cached keys and values [keys, width]; scores [keys] belongs to the team.
template <typename T, typename Team>
PICOCHAT_DEVICE void cached_attention_head(const Team& team, const T* q, const T* k, const T* v, int64_t keys,
                                           int64_t width, float* scores, T* out) {
  const float scale = 1.0f / sqrtf(static_cast<float>(width));
  float largest = -INFINITY;
  for (int64_t t = team.rank(); t < keys; t += team.size()) {
    float dot = 0;
    for (int64_t i = 0; i < width; ++i) dot += to_float(q[i]) * to_float(k[t * width + i]);
    scores[t] = dot * scale;
    largest = scores[t] > largest ? scores[t] : largest;
  }
  largest = team.max(largest);
  float sum = 0;
  for (int64_t t = team.rank(); t < keys; t += team.size()) {
    scores[t] = expf(scores[t] - largest);
    sum += scores[t];
  }
  sum = team.sum(sum);
  team.sync();
  for (int64_t i = team.rank(); i < width; i += team.size()) {
    float value = 0;
    for (int64_t t = 0; t < keys; ++t) value += scores[t] * to_float(v[t * width + i]);
    from_float(value / sum, out[i]);
  }
}

// AdamW (Loshchilov and Hutter 2019): the arithmetic of the CPU's kernel.
template <int N>
PICOCHAT_DEVICE void adamw_pack(const AdamWRule& rule, float* parameter, float* gradient, float* first, float* second,
                                bool clear) {
  float p[N], g[N], m[N], v[N];
  load(parameter, p);
  load(gradient, g);
  load(first, m);
  load(second, v);
  for (int n = 0; n < N; ++n) {
    const float slope = g[n] * rule.gradient_scale;
    m[n] = m[n] + (1.0f - rule.beta1) * (slope - m[n]);
    v[n] = rule.beta2 * v[n] + (1.0f - rule.beta2) * slope * slope;
    p[n] = p[n] * rule.decay_factor - rule.step_size * (m[n] / (sqrtf(v[n]) * rule.second_correction + rule.epsilon));
    g[n] = 0;
  }
  store(p, parameter);
  store(m, first);
  store(v, second);
  if (clear) store(g, gradient);
}

// Sum of squares of a stretch, in double.
template <typename Team>
PICOCHAT_DEVICE double squared_norm_stretch(const Team& team, const float* values, int64_t count) {
  double sum = 0;
  for (int64_t i = team.rank(); i < count; i += team.size()) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return team.sum(sum);
}

// The share of one of kWays members in the sum of a column of partial [parts, columns]; the shares are added in order.
constexpr int kWays = 32;
PICOCHAT_DEVICE float partial_share(const float* partial, int64_t parts, int64_t columns, int64_t column, int64_t way) {
  float sum = 0;
#ifdef __CUDA_ARCH__
#pragma unroll 8
#endif
  for (int64_t part = way; part < parts; part += kWays) sum += partial[part * columns + column];
  return sum;
}

}  // namespace picochat::model::kernels::device
