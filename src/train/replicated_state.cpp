// Whole weights and gradients on every rank; the optimizer's state whole (ddp) or in equal parts (zero1); adapters in place of all weights
// with LoRA.
#include <cmath>

#include <ATen/ATen.h>

#include "model_state.hpp"
#include "picochat/base/error.hpp"
#include "picochat/model/optimizer_kernels.hpp"

namespace picochat::train {
namespace {

class ReplicatedState final : public ModelState {
 public:
  ReplicatedState(const TrainerOptions& options, const Replicas& replicas, model::Transformer& transformer, const at::Tensor& initial)
      : options_(options), replicas_(replicas), transformer_(transformer), layout_(options.config),
        sharded_(options.strategy == Strategy::kZero1 && !replicas.alone() && !options.lora), optimizer_(make_optimizer()), padded_parameters_(model::allocate_flat(flat_size(), device())),
        padded_gradients_(model::allocate_flat(flat_size(), device())), gradients_(padded_gradients_.narrow(0, 0, layout_.size())) {
    held_.parameters = padded_parameters_.narrow(0, 0, layout_.size());
    held_.first_moment = optimizer_.first_moment();
    held_.second_moment = optimizer_.second_moment();
    held_.parameters.copy_(initial);
    if (options_.lora) {
      held_.adapters = model::allocate_flat(options_.lora->size(), device());
      adapter_gradients_ = model::allocate_flat(options_.lora->size(), device());
      options_.lora->initialize(options_.lora_seed, held_.adapters);
      options_.lora->merge(held_.adapters, held_.parameters);
    }
    if (options_.ema_decay > 0) {
      held_.average = model::allocate_flat(layout_.size(), device());
      held_.average.copy_(initial);
    }
  }

  void load(const LoadedTrainingState& state) override {
    held_.parameters.copy_(state.checkpoint.parameters);
    for (const auto& [name, values] : state.state) {
      if (name == "first_moment") sharded_ ? void(loaded_moments_[0] = values) : void(held_.first_moment.copy_(values));
      if (name == "second_moment") sharded_ ? void(loaded_moments_[1] = values) : void(held_.second_moment.copy_(values));
      if (name == "ema" && averages()) held_.average.copy_(values);
      if (name == "adapters" && options_.lora) held_.adapters.copy_(values);
    }
    parameters_changed();
  }

  void share(bool loaded) override {
    replicas_.spread(held_.parameters);
    for (size_t i : {0, 1}) {
      const at::Tensor& moment = i == 0 ? held_.first_moment : held_.second_moment;
      if (!sharded_) replicas_.spread(moment);
      else if (loaded) replicas_.deal(loaded_moments_[i], moment);
      loaded_moments_[i] = at::Tensor();
    }
    if (averages()) replicas_.spread(held_.average);
    if (options_.lora) replicas_.spread(held_.adapters);
    parameters_changed();
  }

  void accumulate(const model::Batch& batch) override { transformer_.accumulate(batch, held_.parameters, gradients_); }
  void score(const model::Batch& batch, float* nll) override { transformer_.score(batch, held_.parameters, nll); }

  double reduce(StepSums& sums, LocalNews& news) override {
    if (sharded_) {
      sums = replicas_.sum_parts(padded_gradients_, sums, news);
      return replicas_.norm_of_parts(replicas_.part_of(padded_gradients_));
    }
    if (options_.lora) {
      options_.lora->project(held_.adapters, gradients_, adapter_gradients_);
      gradients_.zero_();
    }
    sums = replicas_.sum(slopes(), sums, news);
    return std::sqrt(model::squared_norm(slopes()));
  }

  void update(const OptimizerStep& step) override {
    if (sharded_) {
      optimizer_.step(step, replicas_.part_of(padded_parameters_), replicas_.part_of(padded_gradients_));
      replicas_.gather_parts(padded_parameters_);
      padded_gradients_.zero_();
    } else {
      optimizer_.step(step, options_.lora ? held_.adapters : held_.parameters, slopes());
    }
    if (options_.lora) options_.lora->merge(held_.adapters, held_.parameters);
    parameters_changed();
    if (averages()) model::ema_update(options_.ema_decay, held_.parameters, held_.average);
  }

  void drop_gradients() override {
    padded_gradients_.zero_();
    if (options_.lora) adapter_gradients_.zero_();
  }

  ValidationResult validate(Validator& validator, bool average) override { return replicas_.validate(validator, transformer_, average ? held_.average : held_.parameters, false); }

  void require_agreement(int64_t step) override {
    if (!replicas_.alone()) replicas_.require_agreement(model::squared_norm(held_.parameters), step);
  }

 private:
  at::Device device() const { return options_.compute.device; }
  const at::Tensor& slopes() const { return options_.lora ? adapter_gradients_ : gradients_; }
  // With sharded state the flat buffers are padded to equal parts for the ranks.
  int64_t flat_size() const { return sharded_ ? replicas_.world() * replicas_.part_size(layout_.size()) : layout_.size(); }

  Optimizer make_optimizer() const {
    const auto& o = options_.optimizer;
    if (options_.lora) return {layout_, {{options_.lora->size(), options_.lora->size()}}, o, device()};
    if (!sharded_) return {layout_, o, device()};
    base::require(o.name == "adamw", "sharded optimizer state is AdamW's");
    const int64_t part = replicas_.part_size(layout_.size());
    return {layout_, {{part, std::clamp<int64_t>(layout_.decay_size() - replicas_.rank() * part, 0, part)}}, o, device()};
  }

  // Whatever the strategy, so that any number of ranks goes on from it.
  Whole collect(const Held& held, bool with_optimizer) override {
    Whole whole{{held.parameters, held.adapters, averages() ? std::optional(held.average) : std::nullopt}, held.first_moment, held.second_moment};
    if (with_optimizer && sharded_) {
      whole.first_moment = replicas_.collect(held.first_moment, layout_.size());
      whole.second_moment = replicas_.collect(held.second_moment, layout_.size());
    }
    return whole;
  }

  void parameters_changed() override { transformer_.parameters_changed(); }

  const TrainerOptions& options_;
  const Replicas& replicas_;
  model::Transformer& transformer_;
  model::ParameterLayout layout_;
  const bool sharded_;  // the optimizer's state, over the ranks
  Optimizer optimizer_;
  at::Tensor padded_parameters_, padded_gradients_;  // with the padding of sharded state
  at::Tensor gradients_, adapter_gradients_;         // without it; the latter with LoRA
  at::Tensor loaded_moments_[2];                     // of a checkpoint, until they are dealt to the ranks
};

}  // namespace

std::unique_ptr<ModelState> make_replicated_state(const TrainerOptions& options, const Replicas& replicas, model::Transformer& transformer, const at::Tensor& initial) {
  return std::make_unique<ReplicatedState>(options, replicas, transformer, initial);
}

}  // namespace picochat::train
