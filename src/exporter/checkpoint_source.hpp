// A verified checkpoint whose tensors are read straight from the mapped file, so that an export of
// any size holds no copy of the model.
#pragma once

#include <functional>
#include <string_view>

#include <ATen/core/Tensor.h>

#include "exporter/architecture.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/safetensors.hpp"

namespace picochat::exporter {

class CheckpointSource {
 public:
  // Checks every digest, the config and the shape of every tensor; BadInput naming the bad file.
  explicit CheckpointSource(const base::Path& folder);

  const base::Path& folder() const { return folder_; }
  const gate::ModelConfig& config() const { return config_; }
  const base::Json& metadata() const { return metadata_; }
  const base::Digest& digest() const { return digest_; }  // of the manifest

  const float* data(const std::string& name) const;
  // Bytes of the part in `dtype`, in chunks of bounded size. BadInput when a value does not fit float16.
  void read(const TensorPart& part, at::ScalarType dtype, const std::function<void(std::string_view)>& sink) const;

 private:
  base::Path folder_;
  base::Digest digest_;
  gate::ModelConfig config_;
  base::Json metadata_;
  base::SafetensorsFile file_;
};

// "float32", "bfloat16" or "float16" as it stands in flags and config.json.
at::ScalarType parse_dtype(const std::string& name);
std::string dtype_text(at::ScalarType dtype);            // "bfloat16"
std::string safetensors_dtype(at::ScalarType dtype);     // "BF16"
int64_t dtype_bytes(at::ScalarType dtype);

}  // namespace picochat::exporter
