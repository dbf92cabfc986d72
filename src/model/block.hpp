// One transformer block, forward and backward, over buffers that the caller owns.
#pragma once

#include "model/arena.hpp"
#include "model/weights.hpp"

namespace picochat::model {

// What a block keeps for its backward pass; rows are tokens.
struct BlockBuffers {
  at::Tensor x;       // input
  at::Tensor mid;     // after attention (sequential residual)
  at::Tensor out;     // output; x, mid and out are one matrix when nothing is kept
  at::Tensor n1, n2;  // normed input of attention, of the MLP; n2 is n1 in the parallel form
  ops::NormStatistics statistics1, statistics2;
  at::Tensor qkv;
  at::Tensor qk, qk_rstd;  // after per-head norm and rotation; qk is a part of qkv when there is neither
  at::Tensor att, lse;
  at::Tensor fc;  // becomes its own gradient in the backward pass
};

// What all blocks share in turn.
struct SharedBuffers {
  at::Tensor h;       // activation output; in the backward pass first its gradient
  at::Tensor branch;  // a branch before dropout; with dropout only
  at::Tensor dx;      // gradient of the residual stream, in place from the head down
  at::Tensor dn, dqkv, datt;
};

// Decoding: attention goes over a cache.
struct CacheContext {
  std::span<const ops::CachedSequence> sequences;
  std::span<const at::Tensor> keys, values;  // of each layer: [cache rows, n_kv_head, capacity, head_dim]
  ops::WeightForm form;                      // of the matrices
};

struct BlockContext {
  const Config& config;
  ops::Ops& ops;
  ops::AttentionShape shape;
  const int32_t* positions;
  const RopeTable& rope;
  double dropout;  // 0 outside training
  uint64_t dropout_key;
  const CacheContext* cache = nullptr;
};

BlockBuffers take_block_buffers(const Config& config, Arena& arena, int64_t tokens, bool library_attention);
SharedBuffers take_shared_buffers(const Config& config, Arena& arena, int64_t tokens, bool training);

void forward_block(const BlockContext& context, int64_t layer, const BlockWeights& weights, const BlockBuffers& buffers,
                   const SharedBuffers& shared);
// shared.dx holds the gradient of the block's output and receives that of its input.
void backward_block(const BlockContext& context, int64_t layer, const BlockWeights& weights,
                    const BlockWeights& gradients, const BlockBuffers& buffers, const SharedBuffers& shared);

}  // namespace picochat::model
