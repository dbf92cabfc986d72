// Where each weight lives in the one flat float32 buffer that parameters, gradients and optimizer
// state share. Two regions: matrices that weight decay acts on, then norm weights and biases.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "picochat/model/config.hpp"

namespace picochat::model {

class ParameterLayout {
 public:
  struct Entry {
    std::string name;            // "blocks.0.attn.qkv.weight"
    std::vector<int64_t> shape;  // row-major
    int64_t offset;              // first element, a multiple of 16 (64 bytes)
    int64_t count;
    bool decay;          // in the first region
    bool hidden_matrix;  // a matrix inside a block: what Muon orthogonalises
  };

  explicit ParameterLayout(const Config& config);

  const std::vector<Entry>& entries() const { return entries_; }
  const Entry* find(std::string_view name) const;     // null when the config has no such tensor
  const Entry& at(std::string_view name) const;       // an error of ours when missing
  int64_t size() const { return size_; }              // elements of the flat buffer, padding included
  int64_t decay_size() const { return decay_size_; }  // elements of the first region

  // The entry's part of a flat buffer, in its shape (shares storage).
  at::Tensor view(const at::Tensor& flat, const Entry& entry) const;

 private:
  std::vector<Entry> entries_;
  int64_t size_ = 0;
  int64_t decay_size_ = 0;
};

// A zeroed flat float32 buffer, aligned to at least 64 bytes; on the CPU backed by huge pages where the system has them.
at::Tensor allocate_flat(int64_t count, at::Device device = at::kCPU);

// Matrices ~ N(0, initializer_range^2) (output projections scaled by 1/sqrt(2 n_layer) with
// scaled_residual_init), norm weights 1, biases and padding 0. Every value is a function of
// (seed, tensor name, index), so the result does not depend on threads.
void initialize(const Config& config, uint64_t seed, const at::Tensor& flat);

}  // namespace picochat::model
