#include "model/ops/device_attention.hpp"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include "model/exact_products.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::model::ops {

namespace {

using base::cat;

const std::string kMath = "math";

double scale_of(const AttentionShape& shape) { return 1 / std::sqrt(static_cast<double>(shape.head_dim)); }

// [rows, length, heads, head_dim], a view.
Tensor by_row(const Tensor& x, const AttentionShape& shape, int64_t heads) {
  return x.unflatten(1, {heads, shape.head_dim}).unflatten(0, {shape.rows, shape.length});
}
// [rows, heads, length, head_dim], a view: the layout of the SDPA operators.
Tensor by_head(const Tensor& x, const AttentionShape& shape, int64_t heads) { return by_row(x, shape, heads).transpose(1, 2); }

// [tokens, heads, head_dim], a view: rows of segments without a batch dimension.
Tensor packed(const Tensor& x, const AttentionShape& shape, int64_t heads) { return x.unflatten(1, {heads, shape.head_dim}); }

Tensor offsets(const AttentionShape& shape, at::Device device) {
  return at::from_blob(const_cast<int32_t*>(shape.segment_offsets), {shape.segments + 1}, at::TensorOptions().device(device).dtype(at::kInt));
}

// [rows, length, heads, head_dim] or [tokens, heads, head_dim] as [tokens, heads * head_dim]: the same memory where it is packed.
Tensor as_matrix(const Tensor& x, const AttentionShape& shape) { return x.reshape({shape.rows * shape.length, -1}); }

// Key-value heads repeated for the queries that share them, and the sum over such repeats.
Tensor repeated(const Tensor& x, const AttentionShape& shape) { return x.repeat_interleave(shape.n_head / shape.n_kv_head, 1); }
Tensor grouped(const Tensor& x, const AttentionShape& shape) {
  return x.unflatten(1, {shape.n_kv_head, shape.n_head / shape.n_kv_head}).sum(2);
}

}  // namespace

DeviceAttention::DeviceAttention(at::Device device, at::ScalarType dtype, std::string choice, Ops& plain)
    : device_(device), dtype_(dtype), choice_(std::move(choice)), plain_(plain) {}

// Dropout of probabilities, isolated documents and rows of one token are not everywhere: FlashAttention takes segments, the plain operations take all.
const std::string& DeviceAttention::backend_for(const AttentionShape& shape, const DropoutMask& dropout) const {
  static const std::string kFlash = "flash";
  if (dropout.rate > 0 || used_ == kMath || shape.length == 1) return kMath;  // cuDNN does not take rows of one token
  if (!shape.segment_start) return used_;
  return dtype_ == at::kFloat ? kMath : kFlash;
}

void DeviceAttention::choose(const AttentionShape& shape) {
  if (!used_.empty()) return;
  std::vector<std::string> candidates{choice_};
  if (device_.is_cpu()) {
    candidates = {kMath};
  } else if (choice_ == "auto") {
    candidates = dtype_ == at::kFloat ? std::vector<std::string>{"efficient"} : std::vector<std::string>{"cudnn", "flash", "efficient"};
    if (at::globalContext().deterministicAlgorithms()) std::erase(candidates, "cudnn");  // it has no deterministic backward pass
    candidates.push_back(kMath);
  }
  std::vector<std::string> refused;
  for (const std::string& name : candidates) {
    const std::string why = try_out(name, shape);
    if (why.empty()) {
      used_ = name;
      if (!refused.empty()) base::say(cat("attention: ", name, " (", base::join(refused, "; "), ")"));
      return;
    }
    refused.push_back(cat(name, ": ", why));
  }
  throw base::environment_error({.what = "the attention kernels do not run on this device", .where = cat("--attn-backend ", choice_),
                                 .found = base::join(refused, "\n            "), .remedy = "use --attn-backend auto"});
}

std::string DeviceAttention::try_out(const std::string& name, const AttentionShape& given) {
  if (name == kMath) return "";
  AttentionShape shape = given;
  shape.rows = 2;
  shape.length = std::clamp<int64_t>(given.length, 2, 256);
  shape.segment_start = shape.segment_offsets = nullptr;
  const int64_t tokens = shape.rows * shape.length, width = shape.n_head * shape.head_dim, kv_width = shape.n_kv_head * shape.head_dim;
  // A stated sequence of numbers, so that the choice does not depend on a generator; without the pattern of a plain sine,
  // whose gradients cancel and are mostly rounding.
  auto values = [&](int64_t columns, double start) {
    return at::arange(tokens * columns, at::TensorOptions().device(device_).dtype(at::kDouble)).add_(start).mul_(12.9898).sin_().mul_(43758.5453).frac_().mul_(1.7).to(dtype_).view({tokens, columns});
  };
  const Tensor q = values(width, 0.7), k = values(kv_width, 1.3), v = values(kv_width, 2.1), dout = values(width, 0.37);
  // The reference rounds nothing: plain operations in bfloat16 are further from the truth than a fused kernel is.
  const auto exact = make_reference_ops(device_, at::kFloat);
  auto wide = [](const Tensor& t) { return t.to(at::kFloat); };
  const Tensor want = at::zeros_like(wide(q)), want_q = at::zeros_like(want), want_k = at::zeros_like(wide(k)), want_v = at::zeros_like(want_k);
  const Tensor lse = at::empty({tokens, shape.n_head}, want.options());
  try {
    const Saved saved = run_forward(name, shape, q, k, v);
    const HeadGradients gradients = run_backward(name, shape, q, k, v, saved, dout);
    const ExactProducts float32;
    exact->attention(shape, wide(q), wide(k), wide(v), {}, want, lse);
    exact->attention_backward(shape, wide(q), wide(k), wide(v), {}, want, lse, wide(dout), want_q, want_k, want_v);
    auto error = [](const Tensor& value, const Tensor& expected) { return ((value.to(at::kFloat) - expected).norm() / expected.norm()).item<double>(); };
    const double tolerance = dtype_ == at::kFloat ? 1e-4 : 2e-2;
    const double worst = std::max({error(saved.out, want), error(gradients.q, want_q), error(gradients.k, want_k), error(gradients.v, want_v)});
    return worst < tolerance ? "" : cat("differs from the plain operations by ", worst, " of their norm");
  } catch (const std::exception& failure) {
    const std::string text = failure.what();
    return text.substr(0, text.find('\n'));
  }
}

DeviceAttention::Saved DeviceAttention::run_forward(const std::string& name, const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v) {
  const double scale = scale_of(shape);
  if (name == "flash") {
    const bool segments = shape.segment_start != nullptr;
    auto view = [&](const Tensor& x, int64_t heads) { return segments ? packed(x, shape, heads) : by_row(x, shape, heads); };
    const auto at = segments ? std::optional(offsets(shape, device_)) : std::nullopt;
    auto [result, lse, first, second, debug] =
        at::_flash_attention_forward(view(q, shape.n_head), view(k, shape.n_kv_head), view(v, shape.n_kv_head), at, at, shape.length, shape.length, 0.0, true, false, scale);
    return {as_matrix(result, shape), lse, first, second};
  }
  const Tensor query = by_head(q, shape, shape.n_head), key = by_head(k, shape, shape.n_kv_head), value = by_head(v, shape, shape.n_kv_head);
  if (name == "cudnn") {
    auto result = at::_scaled_dot_product_cudnn_attention(query, key, value, std::nullopt, true, 0.0, true, false, scale);
    return {as_matrix(std::get<0>(result).transpose(1, 2), shape), std::get<1>(result), std::get<6>(result), std::get<7>(result)};
  }
  base::require(name == "efficient", "attention has a known name");
  auto [result, lse, seed, offset] = at::_scaled_dot_product_efficient_attention(query, repeated(key, shape), repeated(value, shape), std::nullopt, true, 0.0, true, scale);
  return {as_matrix(result.transpose(1, 2), shape), lse, seed, offset};
}

HeadGradients DeviceAttention::run_backward(const std::string& name, const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v, const Saved& saved,
                                            const Tensor& dout) {
  const double scale = scale_of(shape);
  if (name == "flash") {
    const bool segments = shape.segment_start != nullptr;
    auto view = [&](const Tensor& x, int64_t heads) { return segments ? packed(x, shape, heads) : by_row(x, shape, heads); };
    const Tensor at = segments ? offsets(shape, device_) : Tensor();
    auto [dq, dk, dv] = at::_flash_attention_backward(view(dout, shape.n_head), view(q, shape.n_head), view(k, shape.n_kv_head), view(v, shape.n_kv_head),
                                                      view(saved.out, shape.n_head), saved.lse, at, at, shape.length, shape.length, 0.0, true, saved.first, saved.second, scale);
    return {as_matrix(dq, shape), as_matrix(dk, shape), as_matrix(dv, shape)};
  }
  const Tensor query = by_head(q, shape, shape.n_head), key = by_head(k, shape, shape.n_kv_head), value = by_head(v, shape, shape.n_kv_head);
  const Tensor result = by_head(saved.out, shape, shape.n_head), slope = by_head(dout, shape, shape.n_head);
  if (name == "cudnn") {
    auto [dq, dk, dv] = at::_scaled_dot_product_cudnn_attention_backward(slope, query, key, value, result, saved.lse, saved.first, saved.second, Tensor(), Tensor(),
                                                                         Tensor(), shape.length, shape.length, 0.0, true, scale);
    return {as_matrix(dq.transpose(1, 2), shape), as_matrix(dk.transpose(1, 2), shape), as_matrix(dv.transpose(1, 2), shape)};
  }
  auto gradients = at::_scaled_dot_product_efficient_attention_backward(slope, query, repeated(key, shape), repeated(value, shape), Tensor(), result, saved.lse, saved.first,
                                                                        saved.second, 0.0, {true, true, true, false}, true, scale);
  auto matrix = [&](const Tensor& x) { return as_matrix(x.transpose(1, 2), shape); };
  return {matrix(std::get<0>(gradients)), matrix(grouped(std::get<1>(gradients), shape)), matrix(grouped(std::get<2>(gradients), shape))};
}

Tensor DeviceAttention::forward(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v, const DropoutMask& dropout, const Tensor& out,
                                const Tensor& lse) {
  choose(shape);
  const std::string& name = backend_for(shape, dropout);
  Saved& saved = saved_[lse.data_ptr()];
  if (name == kMath) {
    saved = {out.defined() ? out : at::empty({q.size(0), shape.n_head * shape.head_dim}, q.options()), {}, {}, {}};
    return plain_.attention(shape, q, k, v, dropout, saved.out, lse);
  }
  saved = {};  // its memory is free for the new result
  saved = run_forward(name, shape, q, k, v);
  return saved.out;
}

HeadGradients DeviceAttention::backward(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v, const DropoutMask& dropout, const Tensor& out,
                                        const Tensor& lse, const Tensor& dout, const Tensor& dq, const Tensor& dk, const Tensor& dv) {
  const std::string& name = backend_for(shape, dropout);
  if (name == kMath) return plain_.attention_backward(shape, q, k, v, dropout, out, lse, dout, dq, dk, dv);
  return run_backward(name, shape, q, k, v, saved_.at(lse.data_ptr()), dout);
}

}  // namespace picochat::model::ops
