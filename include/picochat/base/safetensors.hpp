// The safetensors file format: an 8-byte little-endian header length, a JSON header
// {"name": {"dtype", "shape", "data_offsets"}, "__metadata__": {...}}, then the tensors' bytes.
// Reading validates every offset before a byte is touched: files come from outside too.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/file_system.hpp"

namespace picochat::base {

struct TensorView {
  std::string name;
  std::string dtype;           // "F32", "BF16", "F16", "I64", ...
  std::vector<int64_t> shape;
  std::string_view bytes;      // row-major, little-endian
};

// Bytes of one element; BadInput for a dtype that the format does not know.
size_t dtype_size(const std::string& dtype, const std::string& where);

// Writes and syncs the file; the data start is 64-byte aligned by padding the header with spaces.
void write_safetensors(FileSystem& files, const Path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata);

// A mapped file whose views live as long as the object.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const Path& path);  // BadInput naming the field that is wrong
  const std::vector<TensorView>& tensors() const { return tensors_; }
  const TensorView& tensor(const std::string& name) const;  // BadInput naming the file when absent
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const Path& path() const { return file_.path(); }

 private:
  MappedFile file_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace picochat::base
