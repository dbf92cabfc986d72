// The CUDA stream that a kernel's launch goes to: this thread's current one; null on the CPU.
#pragma once

#include <c10/core/Device.h>
#ifdef PICOCHAT_CUDA
#include <c10/cuda/CUDAStream.h>
#endif

#include "model/kernels/device/table.hpp"

namespace picochat::model {

inline kernels::device::Stream stream_of([[maybe_unused]] at::Device device) {
#ifdef PICOCHAT_CUDA
  if (device.is_cuda()) return c10::cuda::getCurrentCUDAStream(device.index()).stream();
#endif
  return nullptr;
}

}  // namespace picochat::model
