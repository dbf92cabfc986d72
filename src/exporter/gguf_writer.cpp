#include "exporter/gguf_writer.hpp"

#include <c10/util/Half.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "picochat/base/error.hpp"

namespace picochat::exporter {
namespace {

constexpr uint32_t kVersion = 3;
enum : uint32_t { kUint32 = 4, kInt32 = 5, kFloat32 = 6, kBool = 7, kString = 8, kArray = 9 };

template <typename T>
void put(std::string& out, T value) {  // x86 is little-endian, as the format is
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void put_string(std::string& out, std::string_view text) {
  put(out, static_cast<uint64_t>(text.size()));
  out.append(text);
}

}  // namespace

void GgufHeader::key(const std::string& name, uint32_t type) {
  put_string(pairs_, name);
  put(pairs_, type);
  ++pair_count_;
}

void GgufHeader::add(const std::string& name, const std::string& value) { key(name, kString), put_string(pairs_, value); }
void GgufHeader::add(const std::string& name, uint32_t value) { key(name, kUint32), put(pairs_, value); }
void GgufHeader::add(const std::string& name, float value) { key(name, kFloat32), put(pairs_, value); }
void GgufHeader::add(const std::string& name, bool value) { key(name, kBool), put(pairs_, static_cast<uint8_t>(value)); }

void GgufHeader::add(const std::string& name, const std::vector<std::string>& values) {
  key(name, kArray);
  put(pairs_, uint32_t{kString});
  put(pairs_, static_cast<uint64_t>(values.size()));
  for (const auto& value : values) put_string(pairs_, value);
}

void GgufHeader::add(const std::string& name, const std::vector<int32_t>& values) {
  key(name, kArray);
  put(pairs_, uint32_t{kInt32});
  put(pairs_, static_cast<uint64_t>(values.size()));
  for (int32_t value : values) put(pairs_, value);
}

void GgufHeader::add(const std::string& name, const std::vector<bool>& values) {
  key(name, kArray);
  put(pairs_, uint32_t{kBool});
  put(pairs_, static_cast<uint64_t>(values.size()));
  for (bool value : values) put(pairs_, static_cast<uint8_t>(value));
}

void GgufHeader::add_tensor(const std::string& name, const std::vector<int64_t>& shape, GgmlType type) {
  put_string(tensors_, name);
  put(tensors_, static_cast<uint32_t>(shape.size()));
  int64_t count = 1;
  for (auto extent = shape.rbegin(); extent != shape.rend(); ++extent) {
    put(tensors_, static_cast<uint64_t>(*extent));
    count *= *extent;
  }
  put(tensors_, static_cast<uint32_t>(type));
  put(tensors_, data_size_);
  const uint64_t size = ggml_bytes(count, type);
  data_size_ += size + gguf_padding(size);
  ++tensor_count_;
}

std::string GgufHeader::bytes() const {
  std::string out = "GGUF";
  put(out, kVersion);
  put(out, tensor_count_);
  put(out, pair_count_);
  out += pairs_;
  out += tensors_;
  return out.append(gguf_padding(out.size()), '\0');
}

uint64_t ggml_bytes(int64_t count, GgmlType type) {
  const auto n = static_cast<uint64_t>(count);
  switch (type) {
    case GgmlType::kF32: return 4 * n;
    case GgmlType::kF16:
    case GgmlType::kBf16: return 2 * n;
    case GgmlType::kQ8_0: return n / kQ8Block * (2 + kQ8Block);
  }
  throw base::internal_error("unknown GGML type");
}

uint64_t gguf_padding(uint64_t size) { return (kGgufAlignment - size % kGgufAlignment) % kGgufAlignment; }

std::string quantize_q8_0(const float* values, int64_t count) {
  base::require(count % kQ8Block == 0, "q8_0 comes in blocks of 32 values");
  std::string out(ggml_bytes(count, GgmlType::kQ8_0), '\0');
  char* to = out.data();
  for (int64_t block = 0; block < count; block += kQ8Block) {
    float largest = 0;
    for (int64_t i = 0; i < kQ8Block; ++i) largest = std::max(largest, std::fabs(values[block + i]));
    const float scale = largest / 127, inverse = scale > 0 ? 1 / scale : 0;
    const c10::Half stored(scale);
    std::memcpy(to, &stored, 2);
    to += 2;
    for (int64_t i = 0; i < kQ8Block; ++i) *to++ = static_cast<char>(static_cast<int8_t>(std::lround(values[block + i] * inverse)));
  }
  return out;
}

}  // namespace picochat::exporter
