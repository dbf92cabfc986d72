// All memory of a model run: what every block keeps, what they share, what the head needs.
#pragma once

#include <vector>

#include "model/block.hpp"
#include "model/head.hpp"

namespace picochat::model {

struct Buffers {
  std::vector<BlockBuffers> blocks;
  SharedBuffers shared;
  HeadBuffers head;
  at::Tensor embedded;  // input of the first block
  at::Tensor final;     // output of the last
};

// Training keeps every block's activations; otherwise the blocks take turns in one set, and the
// residual stream is updated in place.
Buffers take_buffers(const Config& config, Arena& arena, int64_t tokens, bool training);

// The same buffers for a batch of fewer tokens. The head's chunk buffers keep their size.
Buffers first_rows(Buffers buffers, int64_t tokens);

// The operations for a device: our kernels on the CPU unless `reference`.
std::unique_ptr<ops::Ops> make_ops(at::Device device, at::ScalarType dtype, bool reference);

}  // namespace picochat::model
