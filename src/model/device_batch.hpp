// A batch in the memory of the device that computes. On the CPU's own kernels nothing is copied and nobody needs this.
#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "picochat/model/batch.hpp"

namespace picochat::model {

// Arrays in device memory; those of a part that was not given are null.
struct DeviceArrays {
  const int32_t *tokens = nullptr, *positions = nullptr, *targets = nullptr;
  const float* weights = nullptr;  // one for each token, also where the batch has a uniform weight
  const int32_t *segment_start = nullptr, *segment_offsets = nullptr;
  int64_t segments = 0;
};

class DeviceBatch {
 public:
  DeviceBatch(at::Device device, int64_t max_tokens);
  ~DeviceBatch();
  DeviceBatch(DeviceBatch&&) noexcept;

  // Copies a batch, in the order of the stream; the arrays lie where those of the last upload lay. Returns as soon as
  // the caller may change the batch.
  DeviceArrays upload(const Batch& batch, const std::vector<int32_t>& positions);

  at::Tensor nll(int64_t tokens) const;  // [tokens] float64, for the caller to fill
  // Adds the sum of weight * nll of the last upload to `loss` [1]; copies nll to the host, 0 where the weight is 0.
  void add_loss(int64_t tokens, const at::Tensor& loss) const;
  void copy_nll(int64_t tokens, float* to) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace picochat::model
