#include "picochat/train/checkpoint.hpp"

#include <algorithm>
#include <cstring>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/safetensors.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/model_config.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::train {
namespace {

using base::cat;
using base::Json;
using base::Path;

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kConfig = "config.json";
constexpr const char* kMetadata = "metadata.json";
constexpr const char* kStateTensors = "training_state.safetensors";
constexpr const char* kState = "training_state.json";
constexpr std::string_view kStepPrefix = "step-";

std::string_view bytes_of(const float* values, int64_t count) { return {reinterpret_cast<const char*>(values), static_cast<size_t>(count) * 4}; }

void write_json(base::FileSystem& files, const Path& path, const Json& value) {
  auto file = files.create(path);
  file->append(base::dump(value) + "\n");
  file->sync();
  file->close();
}

LoadedCheckpoint load_verified(const Path& folder, base::Digest digest) {
  LoadedCheckpoint loaded{.config = gate::model_config_from_json(base::read_json(folder / kConfig), (folder / kConfig).string()),
                          .metadata = base::read_json(folder / kMetadata), .digest = std::move(digest)};
  const model::ParameterLayout layout(loaded.config);
  const base::SafetensorsFile file(folder / kWeights);
  // Compared before memory is asked for: a config may promise more than the file, or any machine, holds.
  for (const auto& entry : layout.entries()) {
    const auto& tensor = file.tensor(entry.name);
    if (tensor.dtype != "F32" || tensor.shape != entry.shape)
      throw base::bad_input({.what = cat("tensor ", entry.name, " does not fit the model's config"), .where = file.path().string(),
                             .expected = "float32 of the shape that config.json implies", .found = tensor.dtype});
  }
  loaded.parameters = model::allocate_flat(layout.size());
  auto* flat = loaded.parameters.data_ptr<float>();
  for (const auto& entry : layout.entries()) {
    const auto& bytes = file.tensor(entry.name).bytes;
    std::memcpy(flat + entry.offset, bytes.data(), bytes.size());
  }
  if (file.tensors().size() != layout.entries().size())
    throw base::bad_input({.what = "the file holds tensors that the model's config does not have", .where = file.path().string()});
  return loaded;
}

}  // namespace

base::Digest save_checkpoint(base::FileSystem& files, const Path& folder, const CheckpointContent& content) {
  base::Digest digest;
  base::publish_directory(files, folder, [&](const Path& temporary) {
    const model::ParameterLayout layout(content.config);
    const at::Tensor parameters = content.parameters.cpu();
    const auto* flat = parameters.data_ptr<float>();
    std::vector<base::TensorView> tensors;
    for (const auto& entry : layout.entries())
      tensors.push_back({.name = entry.name, .dtype = "F32", .shape = entry.shape, .bytes = bytes_of(flat + entry.offset, entry.count)});
    base::write_safetensors(files, temporary / kWeights, tensors, {{"format", "pt"}});
    write_json(files, temporary / kConfig, to_json(content.config));
    write_json(files, temporary / kMetadata, content.metadata);
    if (!content.state.empty()) {
      tensors.clear();
      std::vector<StateTensor> state = content.state;
      for (auto& [name, values] : state) {
        values = values.cpu();
        tensors.push_back({.name = name, .dtype = "F32", .shape = {values.numel()}, .bytes = bytes_of(values.data_ptr<float>(), values.numel())});
      }
      base::write_safetensors(files, temporary / kStateTensors, tensors, {});
      write_json(files, temporary / kState, content.training_state);
    }
    if (content.more) content.more(temporary);
    digest = base::write_manifest(files, temporary, kCheckpointKind);
  });
  return digest;
}

LoadedCheckpoint load_checkpoint(const Path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw base::bad_input({.what = "there is no checkpoint here", .where = folder.string(), .expected = "a folder with model.safetensors, config.json and manifest.json"});
  return load_verified(folder, base::verify_artifact(folder, kCheckpointKind));
}

LoadedTrainingState load_training_state(const Path& folder) {
  LoadedTrainingState loaded{.checkpoint = load_checkpoint(folder)};
  const base::SafetensorsFile file(folder / kStateTensors);
  loaded.training_state = base::read_json(folder / kState);
  for (const auto& tensor : file.tensors()) {
    if (tensor.dtype != "F32") throw base::bad_input({.what = cat("tensor ", tensor.name, " is not float32"), .where = file.path().string()});
    auto values = model::allocate_flat(static_cast<int64_t>(tensor.bytes.size() / 4));
    std::memcpy(values.data_ptr<float>(), tensor.bytes.data(), tensor.bytes.size());
    loaded.state.push_back({tensor.name, values});
  }
  return loaded;
}

CheckpointSeries::CheckpointSeries(base::FileSystem& files, Path folder) : files_(files), folder_(std::move(folder)) {
  base::sweep_leftovers(files_, folder_);
}

Path CheckpointSeries::path(int64_t step) const { return folder_ / cat(kStepPrefix, base::zero_padded(static_cast<uint64_t>(step), 8)); }

std::vector<int64_t> CheckpointSeries::steps() const {
  std::vector<int64_t> steps;
  if (!std::filesystem::is_directory(folder_)) return steps;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kStepPrefix) || name.find_first_not_of("0123456789", kStepPrefix.size()) != std::string::npos) continue;
    steps.push_back(std::stoll(name.substr(kStepPrefix.size())));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

void CheckpointSeries::remove(int64_t step) { base::remove_published(files_, path(step)); }

void CheckpointSeries::remove_after(int64_t step) {
  for (int64_t present : steps())
    if (present > step) remove(present);
}

void CheckpointSeries::prune(int64_t keep_last) {
  auto present = steps();
  for (size_t i = 0; i + static_cast<size_t>(keep_last) < present.size(); ++i) remove(present[i]);
}

std::optional<LoadedTrainingState> CheckpointSeries::newest() const {
  auto present = steps();
  for (auto step = present.rbegin(); step != present.rend(); ++step) {
    try {
      return load_training_state(path(*step));
    } catch (const base::Error& error) {
      base::warn(cat("checkpoint ", path(*step).string(), " is skipped: ", error.what()));
    }
  }
  return std::nullopt;
}

}  // namespace picochat::train
