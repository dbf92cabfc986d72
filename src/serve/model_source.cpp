#include "picochat/serve/model_source.hpp"

#include <algorithm>

#include "picochat/base/artifact.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/compute.hpp"

namespace picochat::serve {
namespace {

using base::cat;
using base::Path;

bool is_checkpoint(const Path& folder) { return std::filesystem::exists(folder / "config.json") && std::filesystem::exists(folder / base::kManifestFile); }

// The newest of step-00000120 and its like. Not by train::CheckpointSeries, which sweeps what a crash left: the run may be writing just now.
std::optional<Path> newest_step(const Path& series) {
  std::optional<Path> newest;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(series, absent))
    if (entry.path().filename().string().starts_with("step-") && is_checkpoint(entry.path()) && (!newest || entry.path() > *newest)) newest = entry.path();
  return newest;
}

// <run>/sft/checkpoint and <run>/sft/resume_checkpoint/step-N have their tokenizer at <run>/tokenizer.json.
std::optional<Path> tokenizer_near(const Path& checkpoint) {
  Path folder = std::filesystem::absolute(checkpoint).lexically_normal();
  for (int up = 0; up < 4 && folder != folder.root_path(); ++up, folder = folder.parent_path())
    if (std::filesystem::exists(folder / "tokenizer.json")) return folder / "tokenizer.json";
  return {};
}

ModelFiles with_tokenizer(const Path& checkpoint, const std::optional<std::string>& tokenizer) {
  if (tokenizer) return {checkpoint, *tokenizer, ""};
  const auto found = tokenizer_near(checkpoint);
  if (!found)
    throw base::usage_error({.what = "no tokenizer.json in the checkpoint's run", .where = checkpoint.string(), .remedy = "give it with --tokenizer FILE"});
  return {checkpoint, *found, ""};
}

}  // namespace

std::optional<ModelFiles> newest_model(const Path& run) {
  if (!std::filesystem::exists(run / "tokenizer.json")) return {};
  for (const char* stage : {"dpo", "sft", "base"}) {
    if (is_checkpoint(run / stage / "checkpoint")) return ModelFiles{run / stage / "checkpoint", run / "tokenizer.json", stage};
    if (const auto step = newest_step(run / stage / "resume_checkpoint")) return ModelFiles{*step, run / "tokenizer.json", stage};
  }
  return {};
}

ModelFiles find_model(const ModelOptions& options) {
  if (options.run && options.checkpoint)
    throw base::usage_error({.what = "a run and a checkpoint are both given", .where = cat(*options.run, ", --checkpoint ", *options.checkpoint), .remedy = "give one of them"});
  if (options.checkpoint) return with_tokenizer(*options.checkpoint, options.tokenizer);
  if (!options.run)
    throw base::usage_error({.what = "no model is given", .expected = "a run directory, or --checkpoint DIR", .remedy = "picochat run tiny --scale tiny-cpu --corpus-input TEXT --out-dir runs/mine trains one in a few minutes"});
  const Path run = *options.run;
  if (is_checkpoint(run)) return with_tokenizer(run, options.tokenizer);
  if (!std::filesystem::is_directory(run)) throw base::bad_input({.what = "no such run", .where = run.string(), .expected = "a run directory or a checkpoint folder"});
  auto found = newest_model(run);
  if (!found)
    throw base::bad_input({.what = "the run has no checkpoint yet", .where = run.string(), .expected = "tokenizer.json, and a checkpoint in dpo/, sft/ or base/",
                           .remedy = "wait for the first one, or go on with the run"});
  if (options.tokenizer) found->tokenizer = *options.tokenizer;
  return *found;
}

eval::LanguageModel load_model(const ModelOptions& options) {
  const auto compute = model::resolve_compute({.device = options.device});
  const ModelFiles files = find_model(options);
  auto model = eval::load_language_model(files.checkpoint, files.tokenizer, compute.options);
  base::say(cat("model: ", files.checkpoint.generic_string(), ", ", base::short_count(static_cast<double>(model.parameters.numel())), " parameters, context of ",
                model.config.context_size, " tokens"));
  if (files.stage == "base") base::say("note: this model has seen text only, no conversations yet");
  return model;
}

}  // namespace picochat::serve
