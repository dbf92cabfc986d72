// An export as a stranger reads it: config.json and safetensors in, logits out, in plain ATen. It
// shares nothing with the code that wrote the files or with the model room, so that comparing the
// two means something. Slow and exact; used to check exports and imports.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "picochat/base/json.hpp"
#include "picochat/base/safetensors.hpp"

namespace picochat::exporter {

class ExportedModel {
 public:
  // BadInput when a file is missing or a tensor is not where the index says.
  explicit ExportedModel(const base::Path& folder);

  const base::Json& config() const { return config_; }
  const base::Path& folder() const { return folder_; }
  int64_t layers() const;

  bool has(const std::string& name) const { return where_.contains(name); }
  const base::TensorView& view(const std::string& name) const;
  at::Tensor tensor(const std::string& name) const;  // float32 copy
  std::vector<std::string> names() const;

  // Logits [tokens, vocabulary] of a model made of the embedding, the given layers and the head.
  at::Tensor logits(std::span<const int32_t> tokens, std::span<const int64_t> layers) const;
  at::Tensor logits(std::span<const int32_t> tokens) const;  // all layers

 private:
  at::Tensor norm(const std::string& name, const at::Tensor& x) const;
  at::Tensor linear(const std::string& name, const at::Tensor& x) const;
  at::Tensor rotate(const at::Tensor& x) const;
  at::Tensor attention(const std::string& prefix, const at::Tensor& x) const;
  at::Tensor mlp(const std::string& prefix, const at::Tensor& x) const;

  base::Path folder_;
  base::Json config_;
  std::vector<std::unique_ptr<base::SafetensorsFile>> files_;
  std::map<std::string, const base::TensorView*> where_;
  mutable at::Tensor embedding_;  // the one tensor that is used for every comparison
};

}  // namespace picochat::exporter
