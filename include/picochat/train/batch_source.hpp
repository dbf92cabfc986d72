// Where the micro-batches of an optimizer step come from. A step's data is a pure function of the
// step number and the source's options, so a run can be resumed, rewound or split over ranks
// without carrying sampler state.
#pragma once

#include <cstdint>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/model/batch.hpp"

namespace picochat::train {

// An owning model::Batch. Empty weights or segment_start mean null.
struct MicroBatch {
  int64_t rows = 0, length = 0;
  std::vector<int32_t> tokens, targets, segment_start;
  std::vector<float> weights;
  float uniform_weight = 1;

  model::Batch view() const {
    return {.rows = rows, .length = length, .tokens = tokens.data(), .targets = targets.data(),
            .weights = weights.empty() ? nullptr : weights.data(), .uniform_weight = uniform_weight,
            .segment_start = segment_start.empty() ? nullptr : segment_start.data()};
  }
};

// What the micro-batches of a step add up to, over all ranks. The latter two are DPO's, whose batches are pairs of replies.
struct StepSums {
  double loss = 0, accuracy = 0, reward_margin = 0;
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Chooses the rows of optimizer step `step`, counted from 1.
  virtual void prepare(int64_t step) = 0;
  // Micro-batch `micro_step` of the prepared step. Weights are already divided by the step's
  // number of supervised tokens, so the sum over micro-batches is the mean loss.
  virtual void fill(int64_t micro_step, MicroBatch& out) const = 0;
  // Whether a token's weight depends on what the model says of the batch. The loop then scores the batch as it is filled, with weight 1 on
  // supervised tokens, and `weigh` sets the weights whose gradient is the objective's and returns the batch's share of the step's sums.
  // `nll`: negative log-likelihood of each token, 0 where the weight is 0.
  virtual bool needs_scores() const { return false; }
  virtual StepSums weigh(int64_t /*micro_step*/, const float* /*nll*/, MicroBatch& /*batch*/) const { return {}; }
  virtual int64_t supervised_tokens() const = 0;  // of the prepared step
  virtual int64_t epoch() const = 0;              // of the prepared step's first row, from 0
  virtual int64_t max_rows() const = 0;
  virtual int64_t max_length() const = 0;
  virtual base::Json description() const = 0;     // sampling mode and sizes, for reports
};

}  // namespace picochat::train
