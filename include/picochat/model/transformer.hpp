// The model: forward and backward written by hand over memory that is allocated once.
//
// A block computes  x + Attn(n1(x)) + MLP(n1(x))  (parallel residual, one shared norm) or
// x' = x + Attn(n1(x)); x' + MLP(n2(x'))  (sequential). The head never holds the logits of the whole batch:
// it walks chunks of rows, turning logits into their gradient in place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <ATen/core/Tensor.h>

#include "picochat/model/batch.hpp"
#include "picochat/model/config.hpp"
#include "picochat/model/parameter_units.hpp"

namespace picochat::model {

struct TransformerOptions {
  at::Device device = at::kCPU;
  // Of activations and of the matrices in products. With bfloat16, parameters and gradients stay float32: the
  // transformer keeps a copy of the matrices.
  at::ScalarType dtype = at::kFloat;
  bool reference = false;       // plain ATen in place of our kernels
  bool device_kernels = false;  // on the CPU: run the GPU's kernels serially, for tests and `sanity`
  bool recompute = false;       // activation checkpointing: blocks are run again in the backward pass
  bool graph = false;           // on CUDA: capture a micro-step once and replay it
  std::string attention = "auto";  // on a GPU: auto, cudnn, flash, efficient, math
};

class Transformer {
 public:
  // Room for batches of up to max_rows x max_length tokens. Without `training` only score() and
  // logits() work and far less memory is held.
  Transformer(const Config& config, int64_t max_rows, int64_t max_length, bool training,
              const TransformerOptions& options = {});
  ~Transformer();
  Transformer(Transformer&&) noexcept;

  const Config& config() const;
  int64_t arena_bytes() const;
  static int64_t arena_bytes(const Config& config, int64_t max_rows, int64_t max_length, bool training,
                             const TransformerOptions& options = {});

  // ADDS the gradient of the sum of weight * nll over the batch to `gradients` (flat, laid out as ParameterLayout
  // says), and the sum itself to what take_loss() will give. Tokens of weight 0 contribute exactly nothing. `nll`, when
  // given, receives the per-token negative log-likelihood (0 where the weight is 0). A GPU may still be at work when
  // this returns, unless `nll` is given. With a source the gradients are left there, unit by unit, and `gradients` is not read.
  void accumulate(const Batch& batch, const Parameters& parameters, const at::Tensor& gradients, float* nll = nullptr);
  // The sum over the batches since the last call. Waits for the device.
  double take_loss();
  // Both for one batch.
  double forward_backward(const Batch& batch, const at::Tensor& parameters, const at::Tensor& gradients,
                          float* nll = nullptr);

  // To be called when the values of a flat buffer that was given before have changed: the copy of the matrices that
  // is kept with bfloat16 is then made anew.
  void parameters_changed();

  // What --attn-backend auto became; empty on the CPU and before the first batch.
  std::string attention_used() const;

  // nll[i] = -log p(targets[i] | tokens up to i), without dropout; 0 where weights[i] is 0
  // (weights null: every token is scored).
  void score(const Batch& batch, const Parameters& parameters, float* nll);

  // out[rows * length, vocab_size], after the soft cap, without dropout. Targets and weights are not read.
  void logits(const Batch& batch, const at::Tensor& parameters, float* out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace picochat::model
