// Fully sharded (Rajbhandari et al., "ZeRO", 2020, stage 3): of each unit, the weights outside the blocks or a block, a rank holds an equal part, of
// weights, gradients and moments alike. A block's weights are gathered before its forward and again before its backward pass, in one buffer that
// all blocks use in turn; its gradients are summed over ranks and added to this rank's part as soon as they are there, in every micro-step.
#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "model_state.hpp"
#include "picochat/base/error.hpp"
#include "picochat/model/optimizer_kernels.hpp"

namespace picochat::train {
namespace {

constexpr int64_t kPartMultiple = 16;  // values: 64 bytes

class ShardedState final : public ModelState, private model::ParameterSource {
 public:
  ShardedState(const TrainerOptions& options, const Replicas& replicas, model::Transformer& transformer, const at::Tensor& initial)
      : options_(options), replicas_(replicas), transformer_(transformer), layout_(options.config), units_(model::parameter_units(layout_)), shards_(shards()),
        optimizer_(make_optimizer()) {
    int64_t largest = 0;
    for (size_t unit = 1; unit < units_.size(); ++unit) largest = std::max(largest, shards_[unit].part * replicas_.world());
    auto flat = [&](int64_t count) { return model::allocate_flat(count, options_.compute.device); };
    const int64_t outer = shards_[0].part * replicas_.world();
    buffers_ = {flat(outer), flat(largest), flat(outer), flat(largest)};
    held_.parameters = flat(shard_size());
    gradients_ = flat(shard_size());
    held_.first_moment = optimizer_.first_moment();
    held_.second_moment = optimizer_.second_moment();
    keep_own_parts(initial, held_.parameters);
    if (options_.ema_decay > 0) {
      held_.average = flat(shard_size());
      held_.average.copy_(held_.parameters);
    }
  }

  void load(const LoadedTrainingState& state) override {
    loaded_.parameters = state.checkpoint.parameters;
    for (const auto& [name, values] : state.state) {
      if (name == "first_moment") loaded_.first_moment = values;
      if (name == "second_moment") loaded_.second_moment = values;
      if (name == "ema") loaded_.average = values;
    }
  }

  // Without a checkpoint every rank has made its parts from the same initial weights.
  void share(bool loaded) override {
    if (loaded) {
      const auto from = loaded_.all(), to = held_.all();
      for (size_t i = 0; i < to.size(); ++i)
        if (to[i]->defined()) deal(*from[i], *to[i]);
    }
    loaded_ = {};
    parameters_changed();
  }

  void accumulate(const model::Batch& batch) override {
    read_from(held_.parameters);
    transformer_.accumulate(batch, model::Parameters(source()), {});
  }

  void score(const model::Batch& batch, float* nll) override {
    read_from(held_.parameters);
    transformer_.score(batch, model::Parameters(source()), nll);
  }

  double reduce(StepSums& sums, LocalNews& news) override {
    news = replicas_.agree(news, sums);
    double squares = 0;
    for (const auto& part : replicas_.group()->all_gather(std::vector<double>{model::squared_norm(gradients_)})) squares += part[0];
    return std::sqrt(squares);
  }

  void update(const OptimizerStep& step) override {
    optimizer_.step(step, held_.parameters, gradients_);
    parameters_changed();
    if (averages()) model::ema_update(options_.ema_decay, held_.parameters, held_.average);
  }

  void drop_gradients() override { gradients_.zero_(); }

  ValidationResult validate(Validator& validator, bool average) override {
    read_from(average ? held_.average : held_.parameters);
    return replicas_.validate(validator, transformer_, model::Parameters(source()), true);
  }

  void require_agreement(int64_t) override {}  // no weight is held twice

 private:
  struct Shard {
    int64_t offset, part;  // in this rank's buffers; values of each rank
  };

  std::vector<Shard> shards() const {
    std::vector<Shard> out;
    int64_t offset = 0;
    const int64_t step = replicas_.world() * kPartMultiple;
    for (const auto& unit : units_) {
      const int64_t part = (unit.size + step - 1) / step * kPartMultiple;
      out.push_back({offset, part});
      offset += part;
    }
    return out;
  }
  int64_t shard_size() const { return shards_.back().offset + shards_.back().part; }

  Optimizer make_optimizer() const {
    base::require(options_.optimizer.name == "adamw" && !options_.lora, "fully sharded training is AdamW's, of all weights");
    std::vector<Optimizer::Part> parts;
    for (size_t unit = 0; unit < units_.size(); ++unit) {
      const int64_t part = shards_[unit].part;
      parts.push_back({part, std::clamp<int64_t>(units_[unit].decay_size - replicas_.rank() * part, 0, part)});
    }
    return {layout_, parts, options_.optimizer, options_.compute.device};
  }

  model::ParameterSource& source() { return *this; }

  // Which shards gather() takes; the buffer outside the blocks is kept until it is another's, or they change.
  void read_from(const at::Tensor& shard) {
    outer_is_current_ = outer_is_current_ && reading_.is_same(shard);
    reading_ = shard;
  }
  void parameters_changed() override { outer_is_current_ = false; }

  at::Tensor unit_buffer(int64_t unit, const at::Tensor& outer, const at::Tensor& block) const {
    return (unit == 0 ? outer : block).narrow(0, 0, shards_[static_cast<size_t>(unit)].part * replicas_.world());
  }
  at::Tensor own(int64_t unit, const at::Tensor& shard) const { return shard.narrow(0, shards_[static_cast<size_t>(unit)].offset, shards_[static_cast<size_t>(unit)].part); }
  void gather_unit(int64_t unit, const at::Tensor& shard) { replicas_.group()->all_gather(own(unit, shard), unit_buffer(unit, buffers_.outer, buffers_.block)); }

  UnitBuffers buffers() override { return buffers_; }

  void gather(int64_t unit) override {
    if (unit == 0 && std::exchange(outer_is_current_, true)) return;
    gather_unit(unit, reading_);
  }

  void reduce(int64_t unit) override {
    const at::Tensor whole = unit_buffer(unit, buffers_.outer_gradients, buffers_.block_gradients), mine = replicas_.part_of(whole);
    replicas_.group()->reduce_scatter_sum(whole, mine);
    own(unit, gradients_).add_(mine);
    whole.zero_();
  }

  void keep_own_parts(const at::Tensor& whole, const at::Tensor& shard) {
    for (int64_t unit = 0; unit < static_cast<int64_t>(units_.size()); ++unit) {
      const at::Tensor values = unit_buffer(unit, buffers_.outer, buffers_.block);
      units_[static_cast<size_t>(unit)].copy_from(whole, values);
      own(unit, shard).copy_(replicas_.part_of(values));
    }
  }

  // Rank 0's whole buffer in parts on all ranks.
  void deal(const at::Tensor& whole, const at::Tensor& shard) {
    for (int64_t unit = 0; unit < static_cast<int64_t>(units_.size()); ++unit) {
      const at::Tensor values = unit_buffer(unit, buffers_.outer, buffers_.block);
      if (replicas_.leads()) units_[static_cast<size_t>(unit)].copy_from(whole, values);
      replicas_.spread(values);
      own(unit, shard).copy_(replicas_.part_of(values));
    }
  }

  at::Tensor whole_of(const at::Tensor& shard) {
    const at::Tensor here = shard.to(options_.compute.device), whole = replicas_.leads() ? model::allocate_flat(layout_.size()) : at::Tensor();
    for (int64_t unit = 0; unit < static_cast<int64_t>(units_.size()); ++unit) {
      gather_unit(unit, here);
      if (replicas_.leads()) units_[static_cast<size_t>(unit)].copy_to(unit_buffer(unit, buffers_.outer, buffers_.block), whole);
    }
    return whole;
  }

  Whole collect(const Held& held, bool with_optimizer) override {
    outer_is_current_ = false;  // its buffer is used on the way
    Whole whole{{whole_of(held.parameters), {}, averages() ? std::optional(whole_of(held.average)) : std::nullopt}, {}, {}};
    if (with_optimizer) whole.first_moment = whole_of(held.first_moment), whole.second_moment = whole_of(held.second_moment);
    return whole;
  }

  const TrainerOptions& options_;
  const Replicas& replicas_;
  model::Transformer& transformer_;
  model::ParameterLayout layout_;
  std::vector<model::ParameterUnit> units_;
  std::vector<Shard> shards_;
  Optimizer optimizer_;
  UnitBuffers buffers_;
  at::Tensor gradients_, reading_;
  bool outer_is_current_ = false;
  Held loaded_;  // of a checkpoint, on rank 0, until it is dealt
};

}  // namespace

std::unique_ptr<ModelState> make_sharded_state(const TrainerOptions& options, const Replicas& replicas, model::Transformer& transformer, const at::Tensor& initial) {
  return std::make_unique<ShardedState>(options, replicas, transformer, initial);
}

}  // namespace picochat::train
