#include "model/block.hpp"

#include <ATen/ATen.h>

namespace picochat::model {

namespace {

enum Site : uint32_t { kAttentionProbabilities, kAttentionProjection, kMlpProjection, kSites };

ops::DropoutMask mask_of(const BlockContext& context, int64_t layer, Site site) {
  return {context.dropout, context.dropout_key, static_cast<uint32_t>(layer) * kSites + site};
}

bool transforms_heads(const Config& config) {
  return config.qk_norm || config.position_encoding == PositionEncoding::kRope;
}

ops::QkNormRope qk_spec(const BlockContext& context, const BlockWeights& weights) {
  const Config& c = context.config;
  return {c.n_head,       c.n_kv_head,         c.head_dim(),      c.norm_eps,       weights.q_norm,
          weights.k_norm, context.rope.cosine, context.rope.sine, context.positions};
}

ops::NormStatistics take_statistics(const Config& config, Arena& arena, int64_t tokens) {
  ops::NormStatistics statistics;
  if (config.norm_type == NormType::kLayerNorm) statistics.mean = arena.take_statistics(tokens);
  statistics.rstd = arena.take_statistics(tokens);
  return statistics;
}

// q, k, v as views of the buffers.
struct Heads {
  at::Tensor q, k, v;
};

Heads split_heads(const Config& c, const at::Tensor& qk, const at::Tensor& qkv) {
  const at::Tensor& from = qk.defined() ? qk : qkv;
  return {from.narrow(1, 0, c.n_embd), from.narrow(1, c.n_embd, c.kv_dim()),
          qkv.narrow(1, c.n_embd + c.kv_dim(), c.kv_dim())};
}

void linear(const BlockContext& context, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
            const at::Tensor& y, bool accumulate) {
  context.ops.linear_with(context.cache ? context.cache->form : ops::WeightForm::kPlain, x, weight, bias, y, accumulate);
}

at::Tensor attend(const BlockContext& context, int64_t layer, const Heads& heads, const BlockBuffers& b) {
  if (!context.cache)
    return context.ops.attention(context.shape, heads.q, heads.k, heads.v, mask_of(context, layer, kAttentionProbabilities), b.att, b.lse);
  context.ops.cached_attention(context.shape, context.cache->sequences, heads.q, heads.k, heads.v,
                                 context.cache->keys[static_cast<size_t>(layer)],
                                 context.cache->values[static_cast<size_t>(layer)], b.att);
  return b.att;
}

// target += dropout(x weight^T + bias)
void add_branch(const BlockContext& context, const ops::DropoutMask& mask, const at::Tensor& x,
                const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& target,
                const SharedBuffers& shared) {
  if (mask.rate == 0) {
    linear(context, x, weight, bias, target, true);
    return;
  }
  context.ops.linear(x, weight, bias, shared.branch, false);
  context.ops.dropout(mask, shared.branch, target, true);
}

// The gradient of a branch's output, given that of the residual stream.
at::Tensor branch_gradient(const BlockContext& context, const ops::DropoutMask& mask, const SharedBuffers& shared) {
  if (mask.rate == 0) return shared.dx;
  context.ops.dropout(mask, shared.dx, shared.branch, false);
  return shared.branch;
}

void norm_input(const BlockContext& context, const ops::Norm& norm, const at::Tensor& x, const at::Tensor& y,
                const ops::NormStatistics& statistics, const at::Tensor& next) {
  context.ops.norm(norm, x, y, statistics, next.is_same(x) ? at::Tensor() : next);
}

}  // namespace

BlockBuffers take_block_buffers(const Config& c, Arena& arena, int64_t tokens, bool library_attention) {
  BlockBuffers b;
  const int64_t fc_rows = c.activation == Activation::kSwiglu ? 2 * c.ffn_dim() : c.ffn_dim();
  b.n1 = arena.take(tokens, c.n_embd);
  b.statistics1 = take_statistics(c, arena, tokens);
  if (c.parallel_residual) {
    b.n2 = b.n1;
  } else {
    b.n2 = arena.take(tokens, c.n_embd);
    b.statistics2 = take_statistics(c, arena, tokens);
  }
  b.qkv = arena.take(tokens, c.qkv_dim());
  if (transforms_heads(c)) b.qk = arena.take(tokens, c.n_embd + c.kv_dim());
  if (c.qk_norm) b.qk_rstd = arena.take_statistics(tokens, c.n_head + c.n_kv_head);
  if (!library_attention) b.att = arena.take(tokens, c.n_embd);
  b.lse = arena.take_statistics(tokens, c.n_head);
  b.fc = arena.take(tokens, fc_rows);
  return b;
}

SharedBuffers take_shared_buffers(const Config& c, Arena& arena, int64_t tokens, bool training) {
  SharedBuffers s;
  s.h = arena.take(tokens, c.ffn_dim());
  if (!training) return s;
  if (c.dropout > 0) s.branch = arena.take(tokens, c.n_embd);
  s.dx = arena.take(tokens, c.n_embd);
  s.dn = arena.take(tokens, c.n_embd);
  s.dqkv = arena.take(tokens, c.qkv_dim());
  s.datt = arena.take(tokens, c.n_embd);
  return s;
}

void forward_block(const BlockContext& context, int64_t layer, const BlockWeights& weights, const BlockBuffers& b,
                   const SharedBuffers& shared) {
  const bool parallel = context.config.parallel_residual;
  const at::Tensor& after_attention = parallel ? b.out : b.mid;
  norm_input(context, weights.ln_1, b.x, b.n1, b.statistics1, after_attention);
  linear(context, b.n1, weights.qkv, weights.qkv_bias, b.qkv, false);
  if (b.qk.defined()) context.ops.qk(qk_spec(context, weights), b.qkv, b.qk, b.qk_rstd);
  const at::Tensor att = attend(context, layer, split_heads(context.config, b.qk, b.qkv), b);
  add_branch(context, mask_of(context, layer, kAttentionProjection), att, weights.attn_proj, weights.attn_proj_bias,
             after_attention, shared);
  if (!parallel) norm_input(context, weights.ln_2, b.mid, b.n2, b.statistics2, b.out);
  linear(context, b.n2, weights.fc, weights.fc_bias, b.fc, false);
  context.ops.activation(activation_kind(context.config.activation), b.fc, shared.h);
  add_branch(context, mask_of(context, layer, kMlpProjection), shared.h, weights.mlp_proj, weights.mlp_proj_bias, b.out,
             shared);
}

void backward_block(const BlockContext& context, int64_t layer, const BlockWeights& weights,
                    const BlockWeights& gradients, const BlockBuffers& b, const SharedBuffers& shared) {
  ops::Ops& ops = context.ops;
  const bool parallel = context.config.parallel_residual;

  at::Tensor dmlp = branch_gradient(context, mask_of(context, layer, kMlpProjection), shared);
  ops.linear_backward_input(dmlp, weights.mlp_proj, shared.h, false);
  ops.activation_backward(activation_kind(context.config.activation), b.fc, shared.h);
  ops.linear_backward_weight(dmlp, shared.h, gradients.mlp_proj, gradients.mlp_proj_bias);
  ops.linear_backward_weight(b.fc, b.n2, gradients.fc, gradients.fc_bias);
  ops.linear_backward_input(b.fc, weights.fc, shared.dn, false);
  if (!parallel)
    ops.norm_backward(weights.ln_2, b.mid, b.statistics2, shared.dn, shared.dx, true, gradients.ln_2.weight,
                      gradients.ln_2.bias);

  at::Tensor dproj = branch_gradient(context, mask_of(context, layer, kAttentionProjection), shared);
  ops.linear_backward_input(dproj, weights.attn_proj, shared.datt, false);
  const at::Tensor att = ops.attention_output(b.att, b.lse);
  ops.linear_backward_weight(dproj, att, gradients.attn_proj, gradients.attn_proj_bias);
  const Heads heads = split_heads(context.config, b.qk, b.qkv), dheads = split_heads(context.config, {}, shared.dqkv);
  const ops::HeadGradients of_heads =
      ops.attention_backward(context.shape, heads.q, heads.k, heads.v, mask_of(context, layer, kAttentionProbabilities), att, b.lse, shared.datt, dheads.q, dheads.k, dheads.v);
  if (b.qk.defined())
    ops.qk_backward(qk_spec(context, weights), b.qkv, b.qk_rstd, of_heads, shared.dqkv, gradients.q_norm, gradients.k_norm);
  else
    ops::put_heads(of_heads, shared.dqkv);
  ops.linear_backward_weight(shared.dqkv, b.n1, gradients.qkv, gradients.qkv_bias);
  ops.linear_backward_input(shared.dqkv, weights.qkv, shared.dn, parallel);
  ops.norm_backward(weights.ln_1, b.x, b.statistics1, shared.dn, shared.dx, true, gradients.ln_1.weight,
                    gradients.ln_1.bias);
}

}  // namespace picochat::model
