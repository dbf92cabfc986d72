#include "model/arena.hpp"

#include <ATen/ATen.h>

#include "picochat/base/error.hpp"
#include "picochat/model/parameters.hpp"

namespace picochat::model {

at::ScalarType statistics_type(at::ScalarType dtype) { return c10::elementSize(dtype) == 2 ? at::kFloat : dtype; }

Arena Arena::allocated(at::Device device, at::ScalarType dtype, int64_t bytes) {
  Arena arena(device, dtype);
  if (device.is_cpu())
    arena.memory_ = allocate_flat((bytes + 3) / 4).view(at::kByte);
  else
    arena.memory_ = at::zeros({bytes}, at::TensorOptions().device(device).dtype(at::kByte));
  return arena;
}

at::Tensor Arena::take(int64_t rows, int64_t columns, at::ScalarType dtype) {
  constexpr int64_t kAlignment = 64;  // elements: at least 64 bytes for any type, and one offset for all of them
  const auto size = static_cast<int64_t>(c10::elementSize(dtype));
  const int64_t begin = (used_ + kAlignment * size - 1) / (kAlignment * size) * (kAlignment * size), bytes = rows * columns * size;
  used_ = begin + (bytes + kAlignment * size - 1) / (kAlignment * size) * (kAlignment * size);
  if (!memory_.defined()) return {};
  base::require(used_ <= memory_.numel(), "the arena was measured by the function that uses it");
  return memory_.narrow(0, begin, bytes).view(dtype).view({rows, columns});
}

at::Tensor Arena::take_statistics(int64_t rows, int64_t columns) { return take(rows, columns, statistics_type(dtype_)); }

at::Tensor Arena::take_statistics(int64_t count) {
  const at::Tensor matrix = take_statistics(1, count);
  return matrix.defined() ? matrix.view({count}) : matrix;
}

}  // namespace picochat::model
