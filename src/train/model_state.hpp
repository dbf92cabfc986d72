// What a stage trains, as this rank holds it: weights, gradients, the optimizer's state, the moving average. The strategy says how they are
// spread over ranks: whole on each (ddp), the optimizer's state in parts (zero1), everything in parts (fsdp).
//
// Every rank calls the same functions in the same order. The gradient of a step is gathered by accumulate(), summed over ranks by reduce(), and
// used by update(), which leaves none.
#pragma once

#include <memory>
#include <optional>

#include "picochat/train/trainer.hpp"
#include "replicas.hpp"
#include "stage_checkpoints.hpp"

namespace picochat::train {

class ModelState {
 public:
  // From `initial` (flat, not changed). What is named outlives the state.
  static std::unique_ptr<ModelState> make(const TrainerOptions& options, const Replicas& replicas, model::Transformer& transformer, const at::Tensor& initial);
  virtual ~ModelState() = default;

  // A checkpoint's state, on rank 0; then rank 0's on all ranks, however each came to its own. loaded: there was a checkpoint.
  virtual void load(const LoadedTrainingState& state) = 0;
  virtual void share(bool loaded) = 0;

  virtual void accumulate(const model::Batch& batch) = 0;
  virtual void score(const model::Batch& batch, float* nll) = 0;
  // Sums gradients and `sums` over the ranks, and agrees on `news`; returns the L2 norm of the gradients.
  virtual double reduce(StepSums& sums, LocalNews& news) = 0;
  virtual void update(const OptimizerStep& step) = 0;
  virtual void drop_gradients() = 0;

  virtual ValidationResult validate(Validator& validator, bool average) = 0;
  virtual void require_agreement(int64_t step) = 0;  // of the ranks' copies, where they hold copies

  // A copy in memory to go back to.
  void take_snapshot();
  void restore_snapshot();

  // As a checkpoint holds it: whole, on rank 0; undefined elsewhere.
  struct Whole {
    Weights weights;
    at::Tensor first_moment, second_moment;
  };
  Whole collect_weights() { return collect(held_, false); }
  Whole collect(bool of_snapshot) { return collect(of_snapshot ? *snapshot_ : held_, true); }
  bool averages() const { return held_.average.defined(); }

 protected:
  // This rank's part of the state, in tensors that keep their storage; undefined where there is none.
  struct Held {
    at::Tensor parameters, first_moment, second_moment, adapters, average;
    std::vector<at::Tensor*> all() { return {&parameters, &first_moment, &second_moment, &adapters, &average}; }
  };
  virtual Whole collect(const Held& held, bool with_optimizer) = 0;
  virtual void parameters_changed() = 0;
  Held held_;

 private:
  std::optional<Held> snapshot_;
};

std::unique_ptr<ModelState> make_replicated_state(const TrainerOptions& options, const Replicas& replicas, model::Transformer& transformer, const at::Tensor& initial);
std::unique_ptr<ModelState> make_sharded_state(const TrainerOptions& options, const Replicas& replicas, model::Transformer& transformer, const at::Tensor& initial);

}  // namespace picochat::train
