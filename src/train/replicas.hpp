// What the loop does together with other ranks, and nothing when it is alone.
//
// A step is a list of micro-batches that depends on the step alone; each rank takes an equal run of them, and the gradients are summed once,
// after the last. All ranks hold the same weights, optimizer state and loop state, come to the same decisions, and rank 0 writes the files.
#pragma once

#include <memory>
#include <utility>

#include "picochat/train/batch_source.hpp"
#include "picochat/train/process_group.hpp"
#include "picochat/train/validation.hpp"

namespace picochat::train {

// What a rank knows and the others do not. Any rank's signal counts; of the clock, rank 0's word.
struct LocalNews {
  int signal = 0;
  bool save_now = false, time_is_over = false, save_is_due = false;
};

class Replicas {
 public:
  explicit Replicas(std::shared_ptr<ProcessGroup> group);

  bool alone() const { return world_ == 1; }
  bool leads() const { return rank_ == 0; }
  int world() const { return world_; }
  int rank() const { return rank_; }
  ProcessGroup* group() const { return group_.get(); }

  // The micro-steps [first, last) of this rank. Usage error when they cannot be shared equally.
  std::pair<int64_t, int64_t> share(int64_t micro_steps) const;

  // Sums `gradients` over the ranks, in place; returns what the ranks' sums add up to. `news` becomes what all ranks agree on.
  StepSums sum(const at::Tensor& gradients, const StepSums& sums, LocalNews& news) const;
  LocalNews agree(const LocalNews& news, StepSums& sums) const;  // without gradients

  // A flat buffer in equal parts, one a rank: of zero1's gradients, parameters and moments. `whole` has world() x part_size(size) values.
  int64_t part_size(int64_t size) const;
  at::Tensor part_of(const at::Tensor& whole) const;                            // this rank's; shares storage
  StepSums sum_parts(const at::Tensor& whole, const StepSums& sums, LocalNews& news) const;  // as sum(), each rank getting the sum of its own part
  void gather_parts(const at::Tensor& whole) const;                             // every rank's part on all ranks
  double norm_of_parts(const at::Tensor& part) const;                           // L2 norm of the whole; on the CPU the bits of the undivided one
  at::Tensor collect(const at::Tensor& part, int64_t size) const;               // the whole, on rank 0's host; undefined elsewhere
  void deal(const at::Tensor& whole, const at::Tensor& part) const;             // the other way round

  // Rank 0's values on every rank.
  void spread(const at::Tensor& values) const;
  base::Json spread(const base::Json& value) const;

  // The validator's score, each rank having scored a part: the same numbers for any number of ranks.
  // in_step: scoring is a collective, so ranks that have no batch left score one along.
  ValidationResult validate(Validator& validator, model::Transformer& transformer, const model::Parameters& parameters, bool in_step) const;

  // All ranks must hold the same weights: an error naming the ranks whose checksum is another than rank 0's.
  void require_agreement(double checksum, int64_t step) const;

  void report(int64_t step, const std::string& phase) const;

 private:
  std::shared_ptr<ProcessGroup> group_;
  int rank_ = 0, world_ = 1;
};

}  // namespace picochat::train
