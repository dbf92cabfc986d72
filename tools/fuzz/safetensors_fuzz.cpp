// safetensors: every view of a file that is taken lies inside it.
#include <functional>

#include "fuzz.hpp"
#include "picochat/base/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  const auto path = fuzz::folder().write("x.safetensors", fuzz::text_of(data, size));
  fuzz::accepted([&] {
    const base::SafetensorsFile file(path);
    size_t seen = 0;
    for (const auto& tensor : file.tensors()) {
      uint64_t bytes = base::dtype_size(tensor.dtype, "fuzz");
      for (const int64_t extent : tensor.shape) {
        fuzz::check(extent >= 0, "extents are not negative");
        bytes *= static_cast<uint64_t>(extent);
      }
      fuzz::check(bytes == tensor.bytes.size(), "the bytes are those of the shape");
      seen += tensor.bytes.size() + std::hash<std::string_view>()(tensor.bytes) % 2;
    }
    fuzz::check(seen <= size + file.tensors().size(), "tensors do not overlap");
  });
  return 0;
}
