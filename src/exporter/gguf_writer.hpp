// The GGUF container, version 3: magic, counts, key-value metadata, tensor infos, aligned data.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace picochat::exporter {

enum class GgmlType : uint32_t { kF32 = 0, kF16 = 1, kQ8_0 = 8, kBf16 = 30 };

inline constexpr uint64_t kGgufAlignment = 32;
inline constexpr int64_t kQ8Block = 32;  // values that share one scale

class GgufHeader {
 public:
  void add(const std::string& key, const std::string& value);
  void add(const std::string& key, const char* value) { add(key, std::string(value)); }
  void add(const std::string& key, uint32_t value);
  void add(const std::string& key, float value);
  void add(const std::string& key, bool value);
  void add(const std::string& key, const std::vector<std::string>& values);
  void add(const std::string& key, const std::vector<int32_t>& values);
  void add(const std::string& key, const std::vector<bool>& values);

  // Shape as ours (rows first); the file has it the other way round.
  void add_tensor(const std::string& name, const std::vector<int64_t>& shape, GgmlType type);

  // Everything before the data, padded to its alignment.
  std::string bytes() const;

 private:
  void key(const std::string& name, uint32_t type);
  std::string pairs_, tensors_;
  uint64_t pair_count_ = 0, tensor_count_ = 0, data_size_ = 0;
};

uint64_t ggml_bytes(int64_t count, GgmlType type);
uint64_t gguf_padding(uint64_t size);  // zero bytes after a tensor of that size

// Blocks of 32 values as a float16 scale and 32 signed bytes; the count is a multiple of 32.
std::string quantize_q8_0(const float* values, int64_t count);

}  // namespace picochat::exporter
