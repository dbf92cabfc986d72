// Checkpoints: folders of safetensors and JSON with a manifest of digests, published whole under a
// name that never existed before. Format: docs/formats/checkpoint.md.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "picochat/base/artifact.hpp"
#include "picochat/base/json.hpp"
#include "picochat/model/config.hpp"

namespace picochat::train {

inline constexpr const char* kCheckpointKind = "picochat-checkpoint";

// A named flat buffer of the optimizer: "first_moment", "second_moment", "ema".
struct StateTensor {
  std::string name;
  at::Tensor values;
};

struct CheckpointContent {
  model::Config config;
  at::Tensor parameters;             // flat
  base::Json metadata;               // metadata.json: step, val_bpb, tokenizer_sha256, ...
  std::vector<StateTensor> state;    // training_state.safetensors; empty: weights only
  base::Json training_state;         // training_state.json; with `state`
  std::function<void(const base::Path& folder)> more = {};  // writes further files into the folder
};

base::Digest save_checkpoint(base::FileSystem& files, const base::Path& folder, const CheckpointContent& content);

struct LoadedCheckpoint {
  model::Config config;
  at::Tensor parameters;
  base::Json metadata;
  base::Digest digest;               // of the manifest
};
// Verifies every digest first; BadInput naming the bad file.
LoadedCheckpoint load_checkpoint(const base::Path& folder);

struct LoadedTrainingState {
  LoadedCheckpoint checkpoint;
  std::vector<StateTensor> state;
  base::Json training_state;
};
LoadedTrainingState load_training_state(const base::Path& folder);

// Numbered checkpoints "step-00000120" in one folder. There is no mutable "latest": the newest one
// that verifies is resumed.
class CheckpointSeries {
 public:
  CheckpointSeries(base::FileSystem& files, base::Path folder);
  base::Path path(int64_t step) const;
  std::vector<int64_t> steps() const;                      // ascending; leftovers are not steps
  void remove(int64_t step);                               // by rename to trash first
  void remove_after(int64_t step);                         // what a resumed run will make anew
  void prune(int64_t keep_last);
  // The newest that loads; each damaged one is named in a warning and skipped.
  std::optional<LoadedTrainingState> newest() const;

 private:
  base::FileSystem& files_;
  base::Path folder_;
};

}  // namespace picochat::train
