#include "model/device_batch.hpp"

#include <algorithm>
#include <array>

#include <ATen/ATen.h>

#ifdef PICOCHAT_CUDA
#include <ATen/cuda/CUDAEvent.h>
#endif

namespace picochat::model {

namespace {

// Parts of the one buffer that is copied, each of max_tokens + 1 values of four bytes.
enum Part : int64_t { kTokens, kPositions, kTargets, kWeights, kSegmentStart, kSegmentOffsets, kParts };

// A place in pinned memory that a copy may still be reading.
struct Slot {
  at::Tensor memory;
#ifdef PICOCHAT_CUDA
  at::cuda::CUDAEvent copied;
  bool in_use = false;
#endif
};

}  // namespace

struct DeviceBatch::State {
  at::Device device;
  int64_t stride;
  at::Tensor memory, nll;
  std::array<Slot, 4> slots;  // so many batches may be under way to the device
  size_t next = 0;

  at::Tensor weights(int64_t tokens) const { return memory.narrow(0, kWeights * stride, tokens).view(at::kFloat); }
  int32_t* part(int64_t which) const { return memory.data_ptr<int32_t>() + which * stride; }
};

DeviceBatch::DeviceBatch(at::Device device, int64_t max_tokens) : state_(std::make_unique<State>(State{.device = device, .stride = (max_tokens + 1 + 31) / 32 * 32, .memory = {}, .nll = {}, .slots = {}})) {
  State& s = *state_;
  const auto on_device = at::TensorOptions().device(device);
  s.memory = at::zeros({kParts * s.stride}, on_device.dtype(at::kInt));
  s.nll = at::zeros({max_tokens}, on_device.dtype(at::kDouble));
  for (Slot& slot : s.slots) slot.memory = at::zeros({kParts * s.stride}, at::TensorOptions().dtype(at::kInt).pinned_memory(device.is_cuda()));
}

DeviceBatch::~DeviceBatch() = default;
DeviceBatch::DeviceBatch(DeviceBatch&&) noexcept = default;

DeviceArrays DeviceBatch::upload(const Batch& batch, const std::vector<int32_t>& positions) {
  State& s = *state_;
  Slot& slot = s.slots[s.next];
  s.next = (s.next + 1) % s.slots.size();
#ifdef PICOCHAT_CUDA
  if (slot.in_use) slot.copied.synchronize();
#endif
  const int64_t tokens = batch.rows * batch.length;
  int32_t* host = slot.memory.data_ptr<int32_t>();
  DeviceArrays arrays;
  auto put = [&](Part part, const int32_t* values, int64_t count) -> const int32_t* {
    if (!values) return nullptr;
    std::copy_n(values, count, host + part * s.stride);
    return s.part(part);
  };
  arrays.tokens = put(kTokens, batch.tokens, tokens);
  arrays.positions = put(kPositions, positions.data(), tokens);
  arrays.targets = put(kTargets, batch.targets, tokens);
  if (batch.targets) {
    const at::Tensor weights = slot.memory.narrow(0, kWeights * s.stride, tokens).view(at::kFloat);
    if (batch.weights)
      std::copy_n(batch.weights, tokens, weights.data_ptr<float>());
    else
      std::fill_n(weights.data_ptr<float>(), tokens, batch.uniform_weight);
    arrays.weights = reinterpret_cast<const float*>(s.part(kWeights));
    // Where nothing is predicted the target is not read on the host; on the device it must still be a row of the table.
    for (int64_t i = 0; batch.weights && i < tokens; ++i)
      if (batch.weights[i] == 0) host[kTargets * s.stride + i] = 0;
  }
  if (batch.segment_start) {
    arrays.segment_start = put(kSegmentStart, batch.segment_start, tokens);
    std::vector<int32_t> offsets;
    for (int64_t i = 0; i < tokens; ++i)
      if (batch.segment_start[i] == i % batch.length) offsets.push_back(static_cast<int32_t>(i));
    arrays.segments = static_cast<int64_t>(offsets.size());
    offsets.push_back(static_cast<int32_t>(tokens));
    arrays.segment_offsets = put(kSegmentOffsets, offsets.data(), static_cast<int64_t>(offsets.size()));
  }
  s.memory.copy_(slot.memory, /*non_blocking=*/true);
#ifdef PICOCHAT_CUDA
  if (s.device.is_cuda()) {
    slot.copied.record();
    slot.in_use = true;
  }
#endif
  return arrays;
}

at::Tensor DeviceBatch::nll(int64_t tokens) const { return state_->nll.narrow(0, 0, tokens); }

void DeviceBatch::add_loss(int64_t tokens, const at::Tensor& loss) const {
  const at::Tensor weights = state_->weights(tokens), values = nll(tokens);
  loss.add_((values.masked_fill(weights == 0, 0) * weights.to(at::kDouble)).sum());
}

void DeviceBatch::copy_nll(int64_t tokens, float* to) const {
  at::from_blob(to, {tokens}, at::kFloat).copy_(nll(tokens).masked_fill(state_->weights(tokens) == 0, 0));
}

}  // namespace picochat::model
