#include "model_state.hpp"

#include <ATen/ATen.h>

#include "picochat/model/parameters.hpp"

namespace picochat::train {

std::unique_ptr<ModelState> ModelState::make(const TrainerOptions& options, const Replicas& replicas, model::Transformer& transformer, const at::Tensor& initial) {
  const bool sharded = options.strategy == Strategy::kFsdp && !replicas.alone();
  return sharded ? make_sharded_state(options, replicas, transformer, initial) : make_replicated_state(options, replicas, transformer, initial);
}

void ModelState::take_snapshot() {
  const bool first = !snapshot_;
  if (first) snapshot_.emplace();
  const auto from = held_.all(), to = snapshot_->all();
  for (size_t i = 0; i < from.size(); ++i) {
    if (!from[i]->defined()) continue;
    if (first) *to[i] = model::allocate_flat(from[i]->numel());
    to[i]->copy_(*from[i]);
  }
}

void ModelState::restore_snapshot() {
  const auto from = snapshot_->all(), to = held_.all();
  for (size_t i = 0; i < to.size(); ++i)
    if (to[i]->defined()) to[i]->copy_(*from[i]);
  parameters_changed();
  drop_gradients();
}

}  // namespace picochat::train
