#include "model/buffers.hpp"

#include <ATen/ATen.h>

namespace picochat::model {

Buffers take_buffers(const Config& c, Arena& arena, int64_t tokens, const BufferPlan& plan) {
  const bool training = plan.training;
  Buffers b;
  b.embedded = arena.take(tokens, c.n_embd);
  at::Tensor stream = b.embedded;
  for (int64_t layer = 0; layer < c.n_layer; ++layer) {
    if (!training && layer > 0) {
      b.blocks.push_back(b.blocks.front());
      continue;
    }
    const bool shared = training && plan.recompute && layer > 0;
    BlockBuffers block = shared ? b.blocks.front() : take_block_buffers(c, arena, tokens, training && plan.library_attention);
    block.x = stream;
    if (!shared) block.mid = training && !c.parallel_residual ? arena.take(tokens, c.n_embd) : stream;
    if (c.parallel_residual) block.mid = stream;
    block.out = training ? arena.take(tokens, c.n_embd) : stream;
    stream = block.out;
    b.blocks.push_back(block);
  }
  b.final = stream;
  b.shared = take_shared_buffers(c, arena, tokens, training);
  b.head = take_head_buffers(c, arena, tokens, training, plan.on_device);
  return b;
}

int64_t attention_bytes(const Config& c, int64_t tokens, const BufferPlan& plan, at::ScalarType dtype) {
  if (!plan.training || !plan.library_attention) return 0;
  const int64_t outputs = (plan.recompute ? 1 : c.n_layer) * c.n_embd, gradients = c.qkv_dim();
  return tokens * (outputs + gradients) * static_cast<int64_t>(c10::elementSize(dtype));
}

Buffers first_rows(Buffers b, int64_t tokens) {
  auto cut = [&](at::Tensor& t) {
    if (t.defined()) t = t.narrow(0, 0, tokens);
  };
  for (BlockBuffers& block : b.blocks) {
    const bool in_place = block.out.is_same(block.x), parallel = block.n2.is_same(block.n1),
               mid_is_x = block.mid.is_same(block.x);
    for (at::Tensor* t :
         {&block.x, &block.n1, &block.statistics1.mean, &block.statistics1.rstd, &block.statistics2.mean,
          &block.statistics2.rstd, &block.qkv, &block.qk, &block.qk_rstd, &block.att, &block.lse, &block.fc})
      cut(*t);
    if (mid_is_x)
      block.mid = block.x;
    else
      cut(block.mid);
    if (in_place)
      block.out = block.x;
    else
      cut(block.out);
    if (parallel)
      block.n2 = block.n1;
    else
      cut(block.n2);
  }
  for (at::Tensor* t :
       {&b.embedded, &b.final, &b.shared.h, &b.shared.branch, &b.shared.dx, &b.shared.dn, &b.shared.dqkv,
        &b.shared.datt, &b.head.normed, &b.head.dnormed, &b.head.statistics.mean, &b.head.statistics.rstd})
    cut(*t);
  return b;
}

bool on_device(const TransformerOptions& options) {
  return !options.device.is_cpu() || options.device_kernels || c10::elementSize(options.dtype) == 2;
}

std::unique_ptr<ops::Ops> make_ops(const TransformerOptions& options) {
  if (options.reference) return ops::make_reference_ops(options.device, options.dtype);
  if (on_device(options)) return ops::make_device_ops(options.device, options.dtype, {options.attention});
  return ops::make_cpu_ops(options.dtype);
}

}  // namespace picochat::model
