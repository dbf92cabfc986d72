#include "stage_checkpoints.hpp"

#include <algorithm>
#include <cmath>

#include "picochat/base/clock.hpp"

namespace picochat::train {

using base::Json;

StageCheckpoints::StageCheckpoints(base::FileSystem& files, const TrainerOptions& options, bool leads)
    : files_(files), options_(options), leads_(leads), resume_(files, series_folder("resume_checkpoint")), best_(files, series_folder("best")), writer_(files, options.published) {}

base::Path StageCheckpoints::series_folder(const char* name) const { return leads_ ? options_.folder / name : base::Path(); }

std::optional<LoadedTrainingState> StageCheckpoints::newest() { return resume_.newest(); }

void StageCheckpoints::rewind(int64_t step) {
  writer_.finish();
  best_.remove_after(step);
  resume_.remove_after(step);
}

CheckpointContent StageCheckpoints::content(const LoopState& state, const at::Tensor& parameters, const at::Tensor& adapters, const std::string& weights, const std::string& kind,
                                            const Json* evaluation) const {
  Json metadata = options_.identity;
  metadata["stage"] = options_.stage;
  metadata["step"] = state.step;
  metadata["checkpoint_kind"] = kind;
  metadata["weights"] = weights;
  metadata["train_loss"] = std::isfinite(state.train_loss) ? Json(state.train_loss) : Json(nullptr);
  metadata["num_parameters"] = options_.config.parameter_count();
  metadata["fingerprint"] = options_.fingerprint;
  if (evaluation)
    for (const char* key : {"val_loss", "val_loss_stderr", "val_bpb", "val_bpb_stderr", "val_tokens", "ema_val_loss", "ema_val_bpb"})
      if (evaluation->contains(key)) metadata[key] = evaluation->at(key);
  CheckpointContent content{.config = options_.config, .parameters = parameters, .metadata = metadata};
  if (options_.lora)  // a copy on the host: another thread writes it while the loop goes on
    content.more = [this, adapters = adapters.to(at::Device(at::kCPU), adapters.scalar_type(), /*non_blocking=*/false, /*copy=*/true)](const base::Path& folder) { options_.lora->write(files_, folder, adapters); };
  return content;
}

double StageCheckpoints::save_best(const LoopState& state, const Weights& weights, const Json& evaluation) {
  const double begun = base::monotonic_seconds();
  std::error_code ignored;
  if (std::filesystem::exists(best_.path(state.step), ignored)) best_.remove(state.step);
  writer_.save("best", best_, state.step, content(state, weights.ema ? *weights.ema : weights.parameters, weights.adapters, weights.ema ? "ema" : "raw", "best_validation", &evaluation), 0);
  return base::monotonic_seconds() - begun;
}

double StageCheckpoints::save_resume(const LoopState& state, const Weights& weights, const at::Tensor& first_moment, const at::Tensor& second_moment) {
  const double begun = base::monotonic_seconds();
  CheckpointContent saved = content(state, weights.parameters, weights.adapters, "raw", "resume", nullptr);
  saved.state = {{"first_moment", first_moment}, {"second_moment", second_moment}};
  if (weights.ema) saved.state.push_back({"ema", *weights.ema});
  if (options_.lora) saved.state.push_back({"adapters", weights.adapters});
  saved.training_state = {{"fingerprint", options_.fingerprint}, {"loop", to_json(state)}};
  writer_.save("resume", resume_, state.step, std::move(saved), options_.keep_checkpoints, [this] { prune_best(); });
  return base::monotonic_seconds() - begun;
}

// A best checkpoint goes when no checkpoint that may be resumed can need it.
void StageCheckpoints::prune_best() {
  const auto resumable = resume_.steps(), best = best_.steps();
  const int64_t oldest = resumable.empty() ? 0 : resumable.front();
  auto first_kept = std::upper_bound(best.begin(), best.end(), oldest);
  if (first_kept != best.begin()) --first_kept;
  for (auto step = best.begin(); step != first_kept; ++step) best_.remove(*step);
}

void StageCheckpoints::publish(const LoopState& state, const Weights& weights, TrainResult& result) {
  writer_.finish();
  result.checkpoint = options_.folder / "checkpoint";
  result.last_checkpoint = options_.folder / "last_checkpoint";
  republish(result.last_checkpoint, content(state, weights.parameters, weights.adapters, "raw", "final", &state.latest_eval));
  if (weights.ema) {
    result.ema_checkpoint = options_.folder / "ema_checkpoint";
    republish(*result.ema_checkpoint, content(state, *weights.ema, weights.adapters, "ema", "final_ema", &state.latest_eval));
  }
  if (state.best_step > 0) {
    const auto best = load_checkpoint(best_.path(state.best_step));
    CheckpointContent selected{.config = best.config, .parameters = best.parameters, .metadata = best.metadata};
    if (options_.lora)
      selected.more = [&](const base::Path& folder) {
        for (const char* name : {kAdapterTensors, kAdapterConfig}) base::write_file(files_, folder / name, base::read_file(best_.path(state.best_step) / name));
      };
    result.checkpoint_digest = republish(result.checkpoint, selected);
  } else {  // no evaluation gave a finite number
    result.checkpoint_digest = republish(result.checkpoint, content(state, weights.parameters, weights.adapters, "raw", "best_validation_fallback", nullptr));
  }
  link_best();
}

base::Digest StageCheckpoints::republish(const base::Path& path, const CheckpointContent& content) {
  if (std::filesystem::exists(path)) base::remove_published(files_, path);  // an earlier attempt at these very last steps
  return save_checkpoint(files_, path, content);
}

// `best_checkpoint` is the documented second name of `checkpoint`.
void StageCheckpoints::link_best() {
  const base::Path link = options_.folder / "best_checkpoint";
  std::error_code ignored;
  std::filesystem::remove(link, ignored);
  std::filesystem::create_directory_symlink("checkpoint", link, ignored);
}

}  // namespace picochat::train
