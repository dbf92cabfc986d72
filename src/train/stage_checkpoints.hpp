// What a stage of training leaves on disk: <stage>/resume_checkpoint and <stage>/best while it runs, checkpoint, last_checkpoint and
// ema_checkpoint at its end. Rank 0's; the others see empty series and never save.
#pragma once

#include <optional>
#include <string>

#include "checkpoint_writer.hpp"
#include "loop_state.hpp"
#include "picochat/train/trainer.hpp"

namespace picochat::train {

// Tensors of the loop at one moment; adapters undefined without LoRA.
struct Weights {
  at::Tensor parameters, adapters;
  std::optional<at::Tensor> ema;
};

class StageCheckpoints {
 public:
  StageCheckpoints(base::FileSystem& files, const TrainerOptions& options, bool leads);

  // The newest that verifies.
  std::optional<LoadedTrainingState> newest();
  // Removes what is later than `step`, for it will be made anew; waits for what is being written first.
  void rewind(int64_t step);

  // Both return at once; the seconds that they took.
  double save_best(const LoopState& state, const Weights& weights, const base::Json& evaluation);
  double save_resume(const LoopState& state, const Weights& weights, const at::Tensor& first_moment, const at::Tensor& second_moment);
  // At the end of the stage: fills the paths and the digest of the result.
  void publish(const LoopState& state, const Weights& weights, TrainResult& result);

  CheckpointWriter& writer() { return writer_; }
  const CheckpointWriter& writer() const { return writer_; }

 private:
  base::Path series_folder(const char* name) const;
  CheckpointContent content(const LoopState& state, const at::Tensor& parameters, const at::Tensor& adapters, const std::string& weights, const std::string& kind, const base::Json* evaluation) const;
  void prune_best();
  base::Digest republish(const base::Path& path, const CheckpointContent& content);
  void link_best();

  base::FileSystem& files_;
  const TrainerOptions& options_;
  const bool leads_;
  CheckpointSeries resume_, best_;
  CheckpointWriter writer_;  // last: it uses what stands above
};

}  // namespace picochat::train
