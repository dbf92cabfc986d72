// Final norm, logits and cross-entropy in chunks of rows: the logits of the whole batch never exist.
#pragma once

#include <vector>

#include "model/arena.hpp"
#include "model/weights.hpp"

namespace picochat::model {

struct HeadBuffers {
  at::Tensor normed, dnormed;  // [tokens, n_embd]
  ops::NormStatistics statistics;
  at::Tensor logits;       // [chunk, vocab_size]
  at::Tensor rows, drows;  // [chunk, n_embd]: rows whose weight is not zero, packed
};

// Rows of logits that are held at a time: on a device enough to fill its processors, on the CPU what its cache holds.
int64_t head_chunk_rows(const Config& config, bool on_device);
HeadBuffers take_head_buffers(const Config& config, Arena& arena, int64_t tokens, bool training, bool on_device);

struct HeadTargets {
  const int32_t* targets;
  const float* weights;  // null: uniform_weight
  float uniform_weight;
  int64_t tokens;
};

// The rows whose prediction counts.
std::vector<int64_t> active_rows(const HeadTargets& targets);

// Per-token nll of the rows in `active` (0 elsewhere), and with `gradients` also the gradient of
// sum(weight * nll): of the head's weights (added) and of the residual stream (written to dx). Returns that sum.
double head_loss(const Config& config, ops::Ops& ops, const Weights& weights, const Weights* gradients,
                 const at::Tensor& x, const at::Tensor& dx, const HeadBuffers& buffers, const HeadTargets& targets,
                 const std::vector<int64_t>& active, float* nll);

// The same over arrays in device memory and over all rows, so that the launches do not depend on what is in the batch;
// weights has a value for every token. Without `gradients` the logits are float32 whatever the type that computes.
void head_loss_on_device(const Config& config, ops::Ops& ops, const Weights& weights, const Weights* gradients,
                         const at::Tensor& x, const at::Tensor& dx, const HeadBuffers& buffers, const int32_t* targets,
                         const float* token_weights, double* nll);

// Capped logits of all rows of x (no more than the buffers were made for).
void head_logits(const Config& config, ops::Ops& ops, const Weights& weights, const at::Tensor& x,
                 const HeadBuffers& buffers, float* out, ops::WeightForm form);

}  // namespace picochat::model
