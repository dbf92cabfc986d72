#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "model/device_optimizer.hpp"
#include "model/exact_products.hpp"
#include "model/head.hpp"
#include "model/ops/device_attention.hpp"
#include "model/weights.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/random.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/device.hpp"
#include "picochat/model/kernel_check.hpp"

namespace picochat::model {

namespace {

using at::Tensor;
using base::cat;

// One of the two sides of a comparison.
struct Side {
  ops::Ops& ops;
  at::Device device;
  at::ScalarType matrix, statistics;
  KernelFault constants;

  Tensor operator()(const Tensor& values) const { return values.to(device, matrix, false, true); }
  Tensor vector(const Tensor& values) const { return values.to(device, statistics, false, true); }
  Tensor zeros(std::vector<int64_t> shape) const { return at::zeros(shape, at::TensorOptions().device(device).dtype(matrix)); }
  Tensor zero_statistics(std::vector<int64_t> shape) const { return at::zeros(shape, at::TensorOptions().device(device).dtype(statistics)); }
  Tensor array(const std::vector<int32_t>& values) const { return at::tensor(values, at::kInt).to(device); }
};

class Comparison {
 public:
  Comparison(at::Device device, at::ScalarType dtype, const KernelShape& shape, const KernelFault& fault)
      : device_(device), dtype_(dtype), shape_(shape), fault_(fault), ours_(ops::make_device_ops(device, dtype, {})), plain_(ops::make_reference_ops(at::kCPU, at::kDouble)) {}

  std::vector<KernelError> run() {
    norm();
    queries_and_keys();
    swiglu();
    embedding();
    cross_entropy();
    products();
    attention();
    cached_attention();
    optimizer();
    return std::move(errors_);
  }

 private:
  // Rounding to bfloat16 alone costs 2^-9 of an element.
  double tolerance() const { return dtype_ == at::kFloat ? 4e-6 : 4e-3; }

  // The same numbers for both sides, rounded to the type that computes.
  Tensor values(std::vector<int64_t> shape, const std::string& name, double scale = 1) const {
    Tensor out = at::empty(shape, at::kDouble);
    base::Random random(3, name);
    for (int64_t i = 0; i < out.numel(); ++i) out.data_ptr<double>()[i] = scale * random.normal();
    return out.to(dtype_);
  }
  Tensor weights(int64_t count, const std::string& name) const { return values({count}, name).to(at::kFloat) * 0.3 + 1; }

  void compare(const std::string& kernel, const std::function<std::vector<Tensor>(const Side&)>& work, double tolerance) {
    const std::vector<Tensor> value = work({*ours_, device_, dtype_, at::kFloat, fault_}), expected = work({*plain_, at::kCPU, at::kDouble, at::kDouble, {}});
    KernelError error{kernel, shape_.name, 0, tolerance};
    for (size_t i = 0; i < value.size(); ++i) {
      const Tensor a = value[i].to(at::kCPU, at::kDouble), b = expected[i].to(at::kCPU, at::kDouble);
      const double size = b.norm().item<double>(), difference = (a - b).norm().item<double>(), relative = size > 0 ? difference / size : difference;
      error.error = std::max(error.error, std::isfinite(relative) ? relative : std::numeric_limits<double>::infinity());
    }
    errors_.push_back(error);
  }

  void norm() {
    const auto [name, tokens, columns, n_head, n_kv_head, width, vocabulary] = shape_;
    const Tensor x = values({tokens, columns}, "x"), dy = values({tokens, columns}, "dy"), weight = weights(columns, "weight"), start = values({tokens, columns}, "dx");
    compare(
        "rms_norm",
        [&, t = tokens, c = columns](const Side& side) {
          const ops::Norm norm{ops::NormKind::kRms, side.constants.eps, side.vector(weight), {}};
          const Tensor input = side(x), y = side.zeros({t, c}), copy = side.zeros({t, c}), dx = side(start), over = side.zeros({t, c}), dweight = side.zero_statistics({c});
          const ops::NormStatistics statistics{{}, side.zero_statistics({t})};
          side.ops.norm(norm, input, y, statistics, copy);
          side.ops.norm_backward(norm, input, statistics, side(dy), dx, true, dweight, {});
          side.ops.norm_backward(norm, input, statistics, side(dy), over, false, dweight, {});
          return std::vector<Tensor>{y, copy, statistics.rstd, dx, over, dweight};
        },
        tolerance());
  }

  void queries_and_keys() {
    const auto [name, tokens, columns, n_head, n_kv_head, width, vocabulary] = shape_;
    const int64_t heads = n_head + n_kv_head, packed = (n_head + 2 * n_kv_head) * width;
    constexpr int64_t kContext = 128;
    std::vector<int32_t> positions;
    for (int64_t i = 0; i < tokens; ++i) positions.push_back(static_cast<int32_t>(i * 7 % kContext));
    const Tensor in = values({tokens, packed}, "in"), slope = values({tokens, packed}, "slope"), q_weight = weights(width, "q"), k_weight = weights(width, "k");
    for (const bool norm : {true, false})
      for (const bool rotate : {true, false}) {
        if ((!norm && !rotate) || (rotate && width % 2)) continue;
        compare(
            cat("qk", norm ? "_norm" : "", rotate ? "_rope" : ""),
            [&, t = tokens, h = heads, w = width, q_heads = n_head, kv_heads = n_kv_head](const Side& side) {
              Config config;
              config.n_embd = q_heads * w, config.n_head = q_heads, config.context_size = kContext;
              config.position_encoding = PositionEncoding::kRope;
              config.rope_base = side.constants.rope_base;
              const RopeTable rope = rotate ? make_rope_table(config, side.device, side.statistics) : RopeTable();
              const Tensor at = side.array(positions);
              const ops::QkNormRope qk{q_heads, kv_heads, w, side.constants.eps, norm ? side.vector(q_weight) : Tensor(), norm ? side.vector(k_weight) : Tensor(), rope.cosine, rope.sine, at.data_ptr<int32_t>()};
              const Tensor input = side(in), out = side.zeros({t, h * w}), rstd = side.zero_statistics({t, h}), gradient = side(slope), of_heads = gradient.clone(), dq = side.zero_statistics({w}), dk = side.zero_statistics({w});
              side.ops.qk(qk, input, out, rstd);
              // The gradients of the heads lie elsewhere once and in place once.
              auto parts = [&](const Tensor& from) { return ops::HeadGradients{from.narrow(1, 0, q_heads * w), from.narrow(1, q_heads * w, kv_heads * w), from.narrow(1, h * w, kv_heads * w)}; };
              gradient.zero_();
              side.ops.qk_backward(qk, input, rstd, parts(of_heads), gradient, dq, dk);
              side.ops.qk_backward(qk, input, rstd, parts(of_heads), of_heads, dq, dk);
              return std::vector<Tensor>{out, gradient, of_heads, dq, dk};
            },
            tolerance());
      }
  }

  void swiglu() {
    const auto [name, tokens, columns, n_head, n_kv_head, width, vocabulary] = shape_;
    const Tensor fc = values({tokens, 2 * columns}, "fc", 2), slope = values({tokens, columns}, "slope");
    compare(
        "swiglu",
        [&, t = tokens, c = columns](const Side& side) {
          const Tensor h = side.zeros({t, c}), gradient = side(fc).mul_(side.constants.gate_scale), back = side(slope);
          side.ops.activation(ops::ActivationKind::kSwiglu, gradient, h);
          side.ops.activation_backward(ops::ActivationKind::kSwiglu, gradient, back);
          return std::vector<Tensor>{h, gradient, back};
        },
        tolerance());
  }

  void embedding() {
    const auto [name, tokens, columns, n_head, n_kv_head, width, vocabulary] = shape_;
    base::Random random(5, "tokens");
    std::vector<int32_t> ids;  // with many repeats
    for (int64_t i = 0; i < tokens; ++i) ids.push_back(static_cast<int32_t>(random.below(std::min<uint64_t>(9, static_cast<uint64_t>(vocabulary)))));
    const Tensor table = values({vocabulary, columns}, "table"), dx = values({tokens, columns}, "dx");
    compare(
        "embedding",
        [&, t = tokens, c = columns, v = vocabulary](const Side& side) {
          const Tensor x = side.zeros({t, c}), dtable = side.zero_statistics({v, c}), at = side.array(ids);
          const std::span<const int32_t> span(at.data_ptr<int32_t>(), ids.size());
          side.ops.embedding(span, nullptr, side(table), {}, x);
          side.ops.embedding_backward(span, nullptr, side(dx), dtable, {});
          return std::vector<Tensor>{x, dtable};
        },
        tolerance());
  }

  void cross_entropy() {
    const auto [name, tokens, columns, n_head, n_kv_head, width, vocabulary] = shape_;
    base::Random random(6, "targets");
    std::vector<int32_t> ids;
    std::vector<float> row_weights;
    for (int64_t i = 0; i < tokens; ++i) {
      ids.push_back(static_cast<int32_t>(random.below(static_cast<uint64_t>(vocabulary))));
      row_weights.push_back(i % 3 == 1 ? 0.0f : static_cast<float>(random.uniform() - 0.2));
    }
    const Tensor logits = values({tokens, vocabulary}, "logits", 3), given = at::tensor(row_weights, at::kFloat);
    for (const bool capped : {false, true})
      compare(
          capped ? "cross_entropy_softcap" : "cross_entropy",
          [&, t = tokens](const Side& side) {
            const Tensor gradient = side(logits), nll = at::zeros({t}, at::TensorOptions().device(side.device).dtype(at::kDouble)), at = side.array(ids), w = given.to(side.device, at::kFloat, false, true);
            side.ops.cross_entropy(gradient, at.data_ptr<int32_t>(), w.data_ptr<float>(), capped ? side.constants.softcap : 0, nll.data_ptr<double>());
            return std::vector<Tensor>{nll.masked_fill(w == 0, 0), gradient};
          },
          tolerance());
  }

  void products() {
    const auto [name, tokens, columns, n_head, n_kv_head, width, vocabulary] = shape_;
    const Tensor x = values({tokens, columns}, "x"), weight = values({2 * columns, columns}, "weight", 0.1), dy = values({tokens, 2 * columns}, "dy"), before = values({tokens, 2 * columns}, "before");
    compare(
        "products",
        [&, t = tokens, c = columns](const Side& side) {
          const Tensor y = side(before), dx = side.zeros({t, c});
          side.ops.linear(side(x), side(weight), {}, y, true);
          side.ops.linear_backward_input(side(dy), side(weight), dx, false);
          return std::vector<Tensor>{y, dx};
        },
        tolerance());
    compare(
        "products_in_float32",  // logits to be scored and gradients of weights are not rounded
        [&, t = tokens, c = columns](const Side& side) {
          const Tensor exact = side.zero_statistics({t, 2 * c}), dweight = side.zero_statistics({2 * c, c}) + 1;
          side.ops.linear(side(x), side(weight), {}, exact, false);
          side.ops.linear_backward_weight(side(dy), side(x), dweight, {});
          return std::vector<Tensor>{exact, dweight};
        },
        4e-6);
  }

  void attention() {
    const auto [name, tokens, columns, n_head, n_kv_head, width, vocabulary] = shape_;
    constexpr int64_t kRows = 2;
    const int64_t length = std::max<int64_t>(1, tokens / kRows), count = kRows * length, q_width = n_head * width, kv_width = n_kv_head * width;
    std::vector<int32_t> start, offsets;
    for (int64_t row = 0; row < kRows; ++row)
      for (int64_t t = 0, first = 0; t < length; ++t) {
        if (t % 5 == row) first = t;
        if (t == 0) first = 0;
        start.push_back(static_cast<int32_t>(first));
        if (first == t) offsets.push_back(static_cast<int32_t>(row * length + t));
      }
    const auto segments = static_cast<int64_t>(offsets.size());
    offsets.push_back(static_cast<int32_t>(count));
    const Tensor q = values({count, q_width}, "q"), k = values({count, kv_width}, "k"), v = values({count, kv_width}, "v"), dout = values({count, q_width}, "dout");
    for (const bool isolated : {false, true})
      compare(
          isolated ? "attention_isolated" : "attention",
          [&, h = n_head, g = n_kv_head, w = width](const Side& side) {
            const Tensor from = side.array(start), at = side.array(offsets);
            ops::AttentionShape shape{kRows, length, h, g, w, nullptr};
            if (isolated) shape.segment_start = from.data_ptr<int32_t>(), shape.segment_offsets = at.data_ptr<int32_t>(), shape.segments = segments;
            const Tensor lse = side.zero_statistics({count, h}), dq = side.zeros({count, q_width}), dk = side.zeros({count, kv_width}), dv = side.zeros({count, kv_width});
            const Tensor query = side(q), key = side(k).mul_(side.constants.key_scale), value = side(v);
            const Tensor out = side.ops.attention(shape, query, key, value, {}, side.zeros({count, q_width}), lse);
            const ops::HeadGradients gradients = side.ops.attention_backward(shape, query, key, value, {}, out, lse, side(dout), dq, dk, dv);
            return std::vector<Tensor>{out, gradients.q, gradients.k, gradients.v};
          },
          dtype_ == at::kFloat ? 1e-5 : 1.5e-2);  // probabilities are rounded too
  }

  void cached_attention() {
    const auto [name, tokens, columns, n_head, n_kv_head, width, vocabulary] = shape_;
    constexpr int64_t kCapacity = 48;
    // Two sequences: one goes on after 9 tokens, one starts.
    const std::vector<ops::CachedSequence> sequences{{1, 0, 2, 9}, {0, 2, 4, 0}};
    const Tensor q = values({6, n_head * width}, "q"), k = values({6, n_kv_head * width}, "k"), v = values({6, n_kv_head * width}, "v");
    const Tensor old_k = values({2, n_kv_head, kCapacity, width}, "old k"), old_v = values({2, n_kv_head, kCapacity, width}, "old v");
    compare(
        "cached_attention",
        [&, h = n_head, g = n_kv_head, w = width](const Side& side) {
          const Tensor cache_k = side(old_k), cache_v = side(old_v), out = side.zeros({6, h * w});
          side.ops.cached_attention({1, kCapacity, h, g, w, nullptr}, sequences, side(q).mul_(side.constants.key_scale), side(k), side(v), cache_k, cache_v, out);
          return std::vector<Tensor>{out, cache_k, cache_v};
        },
        tolerance());
  }

  // Both sides in float32: the CPU's kernels against the device's.
  void optimizer() {
    const int64_t count = 4 * shape_.tokens * shape_.columns + 3, decayed = count / 2 / 4 * 4;
    std::vector<Tensor> cpu, device;
    for (const char* name : {"parameters", "gradients", "first", "second"}) {
      cpu.push_back(values({count}, name).to(at::kFloat).clone());
      if (cpu.size() == 4) cpu.back().abs_();
      device.push_back(cpu.back().to(device_, at::kFloat, false, true));
    }
    const double norm = squared_norm(cpu[1]), device_norm = device_squared_norm(device[1]);
    AdamWStep step{.learning_rate = 0.01, .weight_decay = 0.1, .gradient_scale = 0.7, .step = 3};
    adamw_step(step, decayed, cpu[0], cpu[1], cpu[2], cpu[3], true);
    step.beta2 = fault_.beta2;
    device_adamw_step(step, decayed, device[0], device[1], device[2], device[3], true);
    KernelError adamw{"adamw", shape_.name, 0, 1e-6};
    for (size_t i = 0; i < cpu.size(); ++i) {
      const Tensor difference = device[i].cpu() - cpu[i];
      adamw.error = std::max(adamw.error, difference.norm().item<double>() / std::max(1e-9, cpu[i].norm().item<double>()));
    }
    errors_.push_back(adamw);
    errors_.push_back({"squared_norm", shape_.name, std::abs(device_norm / norm - 1), 1e-12});
  }

  at::Device device_;
  at::ScalarType dtype_;
  KernelShape shape_;
  KernelFault fault_;
  std::unique_ptr<ops::Ops> ours_, plain_;
  std::vector<KernelError> errors_;
};

}  // namespace

const std::vector<KernelShape>& kernel_shapes() {
  static const std::vector<KernelShape> shapes{{"h100_100m", 38, 768, 12, 4, 64, 8192}, {"h200_1b", 36, 2048, 16, 4, 128, 4096}, {"pilot", 34, 512, 8, 2, 64, 2048},
                                               {"one_token", 1, 64, 4, 4, 16, 64},      {"odd", 5, 35, 5, 1, 7, 37},             {"ratio_three", 70, 96, 6, 2, 16, 72},
                                               {"narrow_head", 19, 48, 4, 1, 12, 50}};
  return shapes;
}

std::vector<KernelError> compare_kernels(at::Device device, at::ScalarType dtype, const KernelShape& shape, const KernelFault& fault) {
  const c10::NoGradGuard no_autograd;
  const ExactProducts float32;
  return Comparison(device, dtype, shape, fault).run();
}

std::vector<std::string> attention_backends(at::Device device, at::ScalarType dtype, const Config& c) {
  const c10::NoGradGuard no_autograd;
  std::vector<std::string> names{"auto", "math"};
  const auto plain = ops::make_reference_ops(device, dtype);
  ops::DeviceAttention attention(device, dtype, "auto", *plain);
  for (const char* name : {"flash", "cudnn", "efficient"})
    if (device.is_cuda() && attention.try_out(name, {1, c.context_size, c.n_head, c.n_kv_head, c.head_dim(), nullptr}).empty()) names.emplace_back(name);
  return names;
}

namespace {

// Seconds of one call, from several captured together.
double seconds_of(at::Device device, const std::function<void()>& work) {
  constexpr int kCalls = 10;
  work();  // plans and workspaces
  synchronize(device);
  CapturedWork captured;
  const std::string why_not = captured.capture([&] {
    for (int i = 0; i < kCalls; ++i) work();
  });
  auto run = [&] {
    if (why_not.empty()) return captured.replay();
    for (int i = 0; i < kCalls; ++i) work();
  };
  double best = std::numeric_limits<double>::infinity();
  for (int attempt = 0; attempt < 4; ++attempt) {
    const double begun = base::monotonic_seconds();
    run();
    synchronize(device);
    best = std::min(best, (base::monotonic_seconds() - begun) / kCalls);
  }
  return best;
}

}  // namespace

std::vector<KernelTime> time_kernels(at::Device device, at::ScalarType dtype, const Config& c, int64_t rows, const std::string& attention) {
  const c10::NoGradGuard no_autograd;
  const StreamScope stream(device);
  const auto ours = ops::make_device_ops(device, dtype, {attention});
  ops::Ops& ops = *ours;
  const int64_t tokens = rows * c.context_size, width = c.n_embd, ffn = c.ffn_dim(), qk_width = c.n_embd + c.kv_dim();
  const auto wide = at::TensorOptions().device(device).dtype(at::kFloat);
  const double size = static_cast<double>(c10::elementSize(dtype)), count = static_cast<double>(tokens);
  std::vector<KernelTime> times;
  auto add = [&](const std::string& name, int64_t calls, double elements, double flops, const std::function<void()>& work) {
    times.push_back({name, 1e6 * seconds_of(device, work), 1e-9 * size * elements, 1e-9 * flops, calls});
  };
  auto random = [&](std::vector<int64_t> shape) { return (at::rand(shape, wide) - 0.5).to(dtype); };

  const Tensor x = random({tokens, width}), y = random({tokens, width}), dx = random({tokens, width}), norm_weight = at::ones({width}, wide), rstd = at::ones({tokens}, wide), dnorm = at::zeros({width}, wide);
  const ops::Norm norm{ops::NormKind::kRms, c.norm_eps, norm_weight, {}};
  const int64_t norms = (c.parallel_residual ? 1 : 2) * c.n_layer;
  add("rms_norm", norms, 3 * count * static_cast<double>(width), 0, [&] { ops.norm(norm, x, y, {{}, rstd}, dx); });
  add("rms_norm_backward", norms, 4 * count * static_cast<double>(width), 0, [&] { ops.norm_backward(norm, x, {{}, rstd}, y, dx, true, dnorm, {}); });

  const Tensor qkv = random({tokens, c.qkv_dim()}), qk_out = random({tokens, qk_width}), dqkv = random({tokens, c.qkv_dim()}), head_weight = at::ones({c.head_dim()}, wide), qk_rstd = at::ones({tokens, c.n_head + c.n_kv_head}, wide),
               dq_weight = at::zeros({c.head_dim()}, wide), dk_weight = at::zeros({c.head_dim()}, wide), positions = at::arange(tokens, at::TensorOptions().device(device).dtype(at::kInt)).remainder_(c.context_size);
  const RopeTable rope = make_rope_table(c, device, at::kFloat);
  const ops::QkNormRope qk{c.n_head, c.n_kv_head, c.head_dim(), c.norm_eps, c.qk_norm ? head_weight : Tensor(), c.qk_norm ? head_weight : Tensor(), rope.cosine, rope.sine, positions.data_ptr<int32_t>()};
  add("qk_norm_rope", c.n_layer, 2 * count * static_cast<double>(qk_width), 0, [&] { ops.qk(qk, qkv, qk_out, qk_rstd); });
  const ops::HeadGradients of_heads{random({tokens, width}), random({tokens, c.kv_dim()}), random({tokens, c.kv_dim()})};
  add("qk_norm_rope_backward", c.n_layer, count * static_cast<double>(3 * qk_width + 2 * c.kv_dim()), 0, [&] { ops.qk_backward(qk, qkv, qk_rstd, of_heads, dqkv, dq_weight, dk_weight); });

  const ops::AttentionShape shape{rows, c.context_size, c.n_head, c.n_kv_head, c.head_dim(), nullptr};
  const Tensor q = qk_out.narrow(1, 0, width), k = qk_out.narrow(1, width, c.kv_dim()), v = qkv.narrow(1, width + c.kv_dim(), c.kv_dim()), out = random({tokens, width}), dout = random({tokens, width}), lse = at::zeros({tokens, c.n_head}, wide);
  const double attention_flops = 2.0 * count * static_cast<double>(c.context_size) * static_cast<double>(width);  // causal: half of the square, two products
  add("attention", c.n_layer, 0, attention_flops, [&] { ops.attention(shape, q, k, v, {}, out, lse); });
  add("attention_backward", c.n_layer, 0, 2.5 * attention_flops,
      [&] { ops.attention_backward(shape, q, k, v, {}, out, lse, dout, dqkv.narrow(1, 0, width), dqkv.narrow(1, width, c.kv_dim()), dqkv.narrow(1, width + c.kv_dim(), c.kv_dim())); });

  const Tensor fc = random({tokens, 2 * ffn}), h = random({tokens, ffn});
  if (c.activation == Activation::kSwiglu) {
    add("swiglu", c.n_layer, 3 * count * static_cast<double>(ffn), 0, [&] { ops.activation(ops::ActivationKind::kSwiglu, fc, h); });
    add("swiglu_backward", c.n_layer, 6 * count * static_cast<double>(ffn), 0, [&] { ops.activation_backward(ops::ActivationKind::kSwiglu, fc, h); });
  }
  auto products = [&](const std::string& name, int64_t calls, const Tensor& input, const Tensor& output) {
    const Tensor weight = random({output.size(1), input.size(1)}), dweight = at::zeros({output.size(1), input.size(1)}, wide);
    const double flops = 2.0 * static_cast<double>(input.size(0)) * static_cast<double>(input.size(1)) * static_cast<double>(output.size(1));
    add(name, calls, 0, flops, [&] { ops.linear(input, weight, {}, output, false); });
    add(name + "_backward_input", calls, 0, flops, [&] { ops.linear_backward_input(output, weight, input, false); });
    add(name + "_backward_weight", calls, 0, flops, [&] { ops.linear_backward_weight(output, input, dweight, {}); });
  };
  products("qkv_product", c.n_layer, x, dqkv);
  products("attention_projection", c.n_layer, out, y);
  products("mlp_in_product", c.n_layer, x, fc);
  products("mlp_out_product", c.n_layer, h, y);

  const int64_t chunk = std::min(tokens, head_chunk_rows(c, /*on_device=*/true)), chunks = (tokens + chunk - 1) / chunk;
  const Tensor logits = random({chunk, c.vocab_size}), targets = at::zeros({chunk}, at::TensorOptions().device(device).dtype(at::kInt)), token_weights = at::ones({chunk}, wide), nll = at::zeros({chunk}, wide.dtype(at::kDouble));
  products("head_product", chunks, x.narrow(0, 0, chunk), logits);
  add("cross_entropy", chunks, 3 * static_cast<double>(chunk) * static_cast<double>(c.vocab_size), 0,
      [&] { ops.cross_entropy(logits, targets.data_ptr<int32_t>(), token_weights.data_ptr<float>(), c.logit_softcap, nll.data_ptr<double>()); });

  const Tensor table = random({c.vocab_size, width}), dtable = at::zeros({c.vocab_size, width}, wide), ids = at::randint(c.vocab_size, {tokens}, at::TensorOptions().device(device).dtype(at::kInt));
  const std::span<const int32_t> span(ids.data_ptr<int32_t>(), static_cast<size_t>(tokens));
  add("embedding", 1, 2 * count * static_cast<double>(width), 0, [&] { ops.embedding(span, nullptr, table, {}, x); });
  add("embedding_backward", 1, 3 * count * static_cast<double>(width), 0, [&] { ops.embedding_backward(span, nullptr, dx, dtable, {}); });

  const int64_t parameters = ParameterLayout(c).size();
  const Tensor p = allocate_flat(parameters, device), g = allocate_flat(parameters, device), m = allocate_flat(parameters, device), s = allocate_flat(parameters, device);
  times.push_back({"adamw", 1e6 * seconds_of(device, [&] { device_adamw_step({.learning_rate = 1e-4}, parameters, p, g, m, s, true); }), 32e-9 * static_cast<double>(parameters), 0, 1});
  return times;
}

}  // namespace picochat::model
