#include "model/arena.hpp"

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::model {

Arena Arena::allocated(at::Device device, at::ScalarType dtype, int64_t elements) {
  Arena arena(device, dtype);
  if (device.is_cpu()) {
    const int64_t floats =
        elements * static_cast<int64_t>(c10::elementSize(dtype)) / static_cast<int64_t>(sizeof(float));
    arena.memory_ = allocate_flat(floats).view(dtype);
  } else {
    arena.memory_ = at::zeros({elements}, at::TensorOptions().device(device).dtype(dtype));
  }
  return arena;
}

at::Tensor Arena::take(int64_t count) {
  constexpr int64_t kAlignment = 64;  // elements: at least 64 bytes for any type
  const int64_t begin = used_;
  used_ += (count + kAlignment - 1) / kAlignment * kAlignment;
  if (!memory_.defined()) return {};
  base::require(used_ <= memory_.numel(), "the arena was measured by the function that uses it");
  return memory_.narrow(0, begin, count);
}

at::Tensor Arena::take(int64_t rows, int64_t columns) {
  at::Tensor flat = take(rows * columns);
  return flat.defined() ? flat.view({rows, columns}) : flat;
}

}  // namespace picochat::model
