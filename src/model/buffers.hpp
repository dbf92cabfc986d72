// All memory of a model run: what every block keeps, what they share, what the head needs.
#pragma once

#include <vector>

#include "model/block.hpp"
#include "model/head.hpp"
#include "picochat/model/transformer.hpp"

namespace picochat::model {

struct Buffers {
  std::vector<BlockBuffers> blocks;
  SharedBuffers shared;
  HeadBuffers head;
  at::Tensor embedded;  // input of the first block
  at::Tensor final;     // output of the last
};

struct BufferPlan {
  bool training = false;
  bool recompute = false;  // keep the blocks' inputs only; the backward pass runs each block forward again
  bool on_device = false;
  bool library_attention = false;  // attention has its output in memory of its own
};

// Training keeps every block's activations (or, with `recompute`, its input); otherwise the blocks take turns in one set, and the
// residual stream is updated in place.
Buffers take_buffers(const Config& config, Arena& arena, int64_t tokens, const BufferPlan& plan);

// What the attention of a device takes for itself, outside the arena: the outputs of the blocks that are kept, and the
// gradients of one.
int64_t attention_bytes(const Config& config, int64_t tokens, const BufferPlan& plan, at::ScalarType dtype);

// The same buffers for a batch of fewer tokens. The head's chunk buffers keep their size.
Buffers first_rows(Buffers buffers, int64_t tokens);

// Whether batches are arrays in device memory and matrices may be a copy of the parameters in another type.
bool on_device(const TransformerOptions& options);
std::unique_ptr<ops::Ops> make_ops(const TransformerOptions& options);

}  // namespace picochat::model
