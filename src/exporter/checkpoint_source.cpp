#include "exporter/checkpoint_source.hpp"

#include <algorithm>
#include <cstring>

#include <ATen/ATen.h>

#include "picochat/base/artifact.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/train/checkpoint.hpp"

namespace picochat::exporter {
namespace {

using base::cat;

constexpr int64_t kChunk = int64_t{1} << 22;  // elements: 16 MiB of float32

base::Digest verified(const base::Path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw base::bad_input({.what = "there is no checkpoint here", .where = folder.string(),
                           .expected = "a folder with model.safetensors, config.json and manifest.json",
                           .remedy = "give a run's sft/checkpoint or base/checkpoint"});
  return base::verify_artifact(folder, train::kCheckpointKind);
}

void check_fits_half(const at::Tensor& half, const TensorPart& part) {
  if (at::isfinite(half).all().item<bool>()) return;
  throw base::bad_input({.what = cat("tensor ", part.source, " has values that float16 cannot hold"), .where = "--dtype float16",
                         .expected = "magnitudes up to 65504", .remedy = "use --dtype bfloat16 or float32"});
}

}  // namespace

CheckpointSource::CheckpointSource(const base::Path& folder)
    : folder_(folder), digest_(verified(folder)),
      config_(gate::model_config_from_json(base::read_json(folder / "config.json"), (folder / "config.json").string())),
      metadata_(base::read_json(folder / "metadata.json")), file_(folder / "model.safetensors") {
  const model::ParameterLayout layout(config_);
  for (const auto& entry : layout.entries()) {
    const auto& tensor = file_.tensor(entry.name);
    if (tensor.dtype != "F32" || tensor.shape != entry.shape)
      throw base::bad_input({.what = cat("tensor ", entry.name, " does not fit the model's config"), .where = file_.path().string(),
                             .expected = "float32 of the shape that config.json implies", .found = tensor.dtype});
  }
  if (file_.tensors().size() != layout.entries().size())
    throw base::bad_input({.what = "the file holds tensors that the model's config does not have", .where = file_.path().string()});
}

const float* CheckpointSource::data(const std::string& name) const {
  return reinterpret_cast<const float*>(file_.tensor(name).bytes.data());  // our writer aligns tensors to 4 bytes
}

void CheckpointSource::read(const TensorPart& part, at::ScalarType dtype, const std::function<void(std::string_view)>& sink) const {
  const float* source = data(part.source);
  auto emit = [&](const float* values, int64_t count) {
    if (dtype == at::kFloat) {
      sink({reinterpret_cast<const char*>(values), static_cast<size_t>(count) * 4});
      return;
    }
    const at::Tensor converted = at::from_blob(const_cast<float*>(values), {count}, at::kFloat).to(dtype);
    if (dtype == at::kHalf) check_fits_half(converted, part);
    sink({static_cast<const char*>(converted.data_ptr()), static_cast<size_t>(count * converted.element_size())});
  };
  const int64_t width = part.row_size();
  if (part.pair_head_dim == 0) {
    const float* from = source + part.first_row * width;
    for (int64_t done = 0; done < part.count(); done += kChunk) emit(from + done, std::min(kChunk, part.count() - done));
    return;
  }
  const int64_t group = part.pair_head_dim;  // one head at a time
  std::vector<float> rows(static_cast<size_t>(group * width));
  for (int64_t first = 0; first < part.rows(); first += group) {
    for (int64_t row = 0; row < group; ++row)
      std::memcpy(rows.data() + row * width, source + part.source_row(first + row) * width, static_cast<size_t>(width) * 4);
    emit(rows.data(), group * width);
  }
}

at::ScalarType parse_dtype(const std::string& name) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  throw base::usage_error({.what = "unknown dtype", .where = "--dtype", .expected = "float32, bfloat16 or float16", .found = name});
}

std::string dtype_text(at::ScalarType dtype) { return dtype == at::kFloat ? "float32" : dtype == at::kHalf ? "float16" : "bfloat16"; }
std::string safetensors_dtype(at::ScalarType dtype) { return dtype == at::kFloat ? "F32" : dtype == at::kHalf ? "F16" : "BF16"; }
int64_t dtype_bytes(at::ScalarType dtype) { return dtype == at::kFloat ? 4 : 2; }

}  // namespace picochat::exporter
