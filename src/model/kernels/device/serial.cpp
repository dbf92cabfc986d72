// The bodies of the GPU's kernels, run by one thread on the CPU in the order in which a GPU adds.
#include <vector>

#include "model/kernels/device/bodies.hpp"
#include "model/kernels/device/table.hpp"

namespace picochat::model::kernels::device {
namespace {

void add_partials(const float* partial, int64_t parts, int64_t columns, int64_t first, int64_t count, float* sums) {
  for (int64_t i = 0; i < count; ++i) {
    float sum = 0;
    for (int64_t way = 0; way < kWays; ++way) sum += partial_share(partial, parts, columns, first + i, way);
    sums[i] += sum;
  }
}

template <typename T>
void rms_norm(Stream, const RmsNorm<T>& a) {
  with_pack<T>(a.columns, [&](auto n) {
    for (int64_t r = 0; r < a.rows; ++r)
      rms_norm_row<n()>(Serial(), a.x + r * a.columns, a.weight, a.eps, a.columns, a.y + r * a.columns, a.rstd + r,
                        a.copy ? a.copy + r * a.columns : nullptr);
  });
}

template <int N, int P>
void add_sums(const Sums<N, P>& sums, int64_t columns, float* to) {
  for (int64_t i = 0; i < columns; ++i) to[i] += sums.value[i / N][i % N];
}

template <typename T>
void rms_norm_backward(Stream, const RmsNormBackward<T>& a) {
  const int64_t part = part_rows(a.rows), parts = parts_of(a.rows, part);
  std::fill_n(a.partial, parts * a.columns, 0.0f);
  with_pack<T>(a.columns, [&](auto n) {
    with_least<32, 128, 512>(a.columns / n(), [&](auto packs) {
      for (int64_t r = 0; r < a.rows; ++r) {
        Sums<n(), packs()> sums;
        sums.clear();
        rms_norm_row_backward<n(), packs()>(Serial(), a.dy + r * a.columns, a.x + r * a.columns, a.weight, a.rstd[r], a.columns, a.accumulate,
                                            a.dx + r * a.columns, sums);
        add_sums(sums, a.columns, a.partial + r / part * a.columns);
      }
    });
  });
  add_partials(a.partial, parts, a.columns, 0, a.columns, a.dweight);
}

// f(N, packs, i, token, head, rotation) for each head of each token.
template <typename T, typename F>
void each_head(const Qk<T>& a, F f) {
  const int64_t heads = a.n_head + a.n_kv_head, half = a.width / 2;
  with_pack<T>(half, [&](auto n) {
    with_least<8, 32, 256>(half / n(), [&](auto packs) {
      for (int64_t token = 0; token < a.tokens; ++token) {
        Rotation<n(), packs()> rotation;
        const int64_t angle = a.cosine ? a.positions[token] * half : 0;
        load_rotation(Serial(), a.cosine ? a.cosine + angle : nullptr, a.sine + angle, half, rotation);
        for (int64_t head = 0; head < heads; ++head) f(n, packs, token * heads + head, token, head, rotation);
      }
    });
  });
}

template <typename T>
void qk(Stream, const Qk<T>& a, T* out, int64_t out_ld) {
  each_head(a, [&](auto, auto, int64_t i, int64_t token, int64_t head, const auto& rotation) {
    qk_head(Serial(), a.in + token * a.in_ld + head * a.width, head < a.n_head ? a.q_weight : a.k_weight, rotation, a.width, a.eps,
            out + token * out_ld + head * a.width, a.rstd + i);
  });
}

template <typename T>
void qk_backward(Stream, const QkBackward<T>& b) {
  const Qk<T>& a = b.forward;
  const int64_t half = a.width / 2, part = part_rows(a.tokens), parts = parts_of(a.tokens, part);
  std::fill_n(b.partial, parts * 2 * a.width, 0.0f);
  each_head(a, [&](auto n, auto packs, int64_t i, int64_t token, int64_t head, const auto& rotation) {
    Sums<n(), packs()> first, second;
    first.clear(), second.clear();
    const T* from = head < a.n_head ? b.q.data + token * b.q.ld + head * a.width : b.k.data + token * b.k.ld + (head - a.n_head) * a.width;
    qk_head_backward(Serial(), a.in + token * a.in_ld + head * a.width, head < a.n_head ? a.q_weight : a.k_weight, rotation, a.q_weight ? a.rstd[i] : 0, a.width,
                     from, b.gradient + token * b.ld + head * a.width, first, second);
    float* sums = b.partial + (token / part * 2 + (head < a.n_head ? 0 : 1)) * a.width;
    add_sums(first, half, sums);
    add_sums(second, half, sums + half);
  });
  T* values = b.gradient + (a.n_head + a.n_kv_head) * a.width;
  for (int64_t token = 0; token < a.tokens && b.v.data != values; ++token) copy_row<1>(Serial(), b.v.data + token * b.v.ld, a.n_kv_head * a.width, values + token * b.ld);
  if (!a.q_weight) return;
  add_partials(b.partial, parts, 2 * a.width, 0, a.width, b.dq_weight);
  add_partials(b.partial, parts, 2 * a.width, a.width, a.width, b.dk_weight);
}

template <typename T>
void swiglu(Stream, const T* fc, int64_t rows, int64_t width, T* h) {
  with_pack<T>(width, [&](auto n) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < width; i += n()) swiglu_pack<n()>(fc + 2 * r * width + i, fc + (2 * r + 1) * width + i, h + r * width + i);
  });
}

template <typename T>
void swiglu_backward(Stream, T* fc, int64_t rows, int64_t width, T* h) {
  with_pack<T>(width, [&](auto n) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t i = 0; i < width; i += n())
        swiglu_backward_pack<n()>(fc + 2 * r * width + i, fc + (2 * r + 1) * width + i, h + r * width + i);
  });
}

template <typename T>
void embedding(Stream, const int32_t* tokens, int64_t count, const T* table, int64_t columns, T* x) {
  with_pack<T>(columns, [&](auto n) {
    for (int64_t i = 0; i < count; ++i) copy_row<n()>(Serial(), table + tokens[i] * columns, columns, x + i * columns);
  });
}

template <typename T>
void embedding_backward(Stream, const EmbeddingBackward<T>& a) {
  with_pack<T>(a.columns, [&](auto n) {
    for (int64_t place = 0; place < a.count; ++place)
      embedding_backward_run<n()>(Serial(), a.sorted, a.order, a.count, place, a.dx, a.ld, a.columns, a.dtable);
  });
}

template <typename T>
void cross_entropy(Stream, const CrossEntropy<T>& a) {
  with_pack<T>(a.vocabulary, [&](auto n) {
    for (int64_t r = 0; r < a.rows; ++r)
      cross_entropy_row<n()>(Serial(), a.logits + r * a.vocabulary, a.targets[r], a.weights[r], a.softcap, a.gradient,
                             a.vocabulary, a.nll + r);
  });
}

template <typename T>
void cache_store(Stream, const CacheStore<T>& a) {
  for (int64_t i = 0; i < a.tokens * a.n_kv_head; ++i) {
    const int64_t token = i / a.n_kv_head, head = i % a.n_kv_head;
    copy_row<1>(Serial(), a.from + token * a.ld + head * a.width, a.width,
                a.cache + ((a.cache_row[token] * a.n_kv_head + head) * a.capacity + a.keys[token] - 1) * a.width);
  }
}

template <typename T>
void cached_attention(Stream, const CachedAttention<T>& a) {
  std::vector<float> scores(static_cast<size_t>(a.capacity));
  for (int64_t i = 0; i < a.tokens * a.n_head; ++i) {
    const int64_t token = i / a.n_head, head = i % a.n_head;
    const int64_t cache = (a.cache_row[token] * a.n_kv_head + head / (a.n_head / a.n_kv_head)) * a.capacity * a.width;
    cached_attention_head(Serial(), a.q + token * a.q_ld + head * a.width, a.cache_k + cache, a.cache_v + cache, a.keys[token],
                          a.width, scores.data(), a.out + token * a.out_ld + head * a.width);
  }
}

void adamw(Stream, const AdamWRule& rule, int64_t count, float* p, float* g, float* m, float* v, bool clear) {
  int64_t i = 0;
  for (; i + 4 <= count; i += 4) adamw_pack<4>(rule, p + i, g + i, m + i, v + i, clear);
  for (; i < count; ++i) adamw_pack<1>(rule, p + i, g + i, m + i, v + i, clear);
}

void squared_norm(Stream, const float* values, int64_t count, double* partial) {
  for (int64_t part = 0; part < parts_of(count, kNormStretch); ++part)
    partial[part] = squared_norm_stretch(Serial(), values + part * kNormStretch, std::min(kNormStretch, count - part * kNormStretch));
}

template <typename T>
constexpr Table<T> kTable{rms_norm<T>,   rms_norm_backward<T>,  qk<T>,            qk_backward<T>, swiglu<T>,          swiglu_backward<T>,
                          embedding<T>, embedding_backward<T>, cross_entropy<T>, cache_store<T>, cached_attention<T>};
constexpr OptimizerTable kOptimizerTable{adamw, squared_norm};

}  // namespace

template <>
const Table<float>& serial_table<float>() {
  return kTable<float>;
}
template <>
const Table<Bf16>& serial_table<Bf16>() {
  return kTable<Bf16>;
}
const OptimizerTable& serial_optimizer_table() { return kOptimizerTable; }

}  // namespace picochat::model::kernels::device
