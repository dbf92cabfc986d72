// AdamW, and Muon for the matrices inside blocks with AdamW for the rest, on flat float32 buffers.
// Weight decay acts on matrices only.
#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "picochat/base/json.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::train {

struct OptimizerOptions {
  std::string name = "adamw";  // or "muon"
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double muon_rate_ratio = 1;  // Muon's peak learning rate over AdamW's
};

struct OptimizerStep {
  int64_t step = 1;  // updates made so far, this one included: the bias correction
  double learning_rate = 0, weight_decay = 0, muon_momentum = 0.95;
  double gradient_scale = 1;
};

class Optimizer {
 public:
  Optimizer(const model::ParameterLayout& layout, const OptimizerOptions& options, at::Device device = at::kCPU);
  // AdamW over a buffer that is no whole flat buffer: `count` values, of which the first `decayed` are decayed, then the next part. Adapters
  // are one, and so is what a rank has of a buffer that is held in parts.
  struct Part {
    int64_t count, decayed;
  };
  Optimizer(const model::ParameterLayout& layout, std::vector<Part> parts, const OptimizerOptions& options, at::Device device = at::kCPU);
  // Updates `parameters` and leaves `gradients` zero.
  void step(const OptimizerStep& step, const at::Tensor& parameters, const at::Tensor& gradients);
  // The state, shared storage: what checkpoints and snapshots copy. Muon keeps its momentum in the
  // first moment; the second moment of its matrices stays zero.
  const at::Tensor& first_moment() const { return first_; }
  const at::Tensor& second_moment() const { return second_; }
  base::Json description() const;

 private:
  void muon_update(const model::ParameterLayout::Entry& entry, const OptimizerStep& step, const at::Tensor& parameters, const at::Tensor& gradients);
  const model::ParameterLayout layout_;
  OptimizerOptions options_;
  std::vector<Part> parts_;
  at::Tensor first_, second_;
};

}  // namespace picochat::train
