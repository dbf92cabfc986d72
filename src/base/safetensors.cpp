#include "picochat/base/safetensors.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"

namespace picochat::base {
namespace {

constexpr uint64_t kMaximumHeader = 100 << 20;  // as the reference implementation of the format has it

std::array<char, 8> little_endian(uint64_t value) {
  std::array<char, 8> bytes;
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  return bytes;
}

uint64_t parse_little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

}  // namespace

size_t dtype_size(const std::string& dtype, const std::string& where) {
  static const std::map<std::string, size_t> sizes{{"F64", 8}, {"I64", 8}, {"U64", 8}, {"F32", 4}, {"I32", 4}, {"U32", 4},
                                                   {"BF16", 2}, {"F16", 2}, {"I16", 2}, {"U16", 2}, {"I8", 1}, {"U8", 1}, {"BOOL", 1}};
  auto found = sizes.find(dtype);
  if (found == sizes.end()) throw bad_input({.what = "unknown tensor dtype", .where = where, .found = dtype});
  return found->second;
}

void write_safetensors(FileSystem& files, const Path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const auto& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = dump(header, -1);
  text.append((64 - (text.size() + 8) % 64) % 64, ' ');
  auto length = little_endian(text.size());
  auto file = files.create(path);
  file->append({length.data(), length.size()});
  file->append(text);
  for (const auto& tensor : tensors) file->append(tensor.bytes);
  file->sync();
  file->close();
}

SafetensorsFile::SafetensorsFile(const Path& path) : file_(path) {
  const std::string where = path.string();
  auto refuse = [&](const std::string& what) {
    throw bad_input({.what = cat("not a valid safetensors file: ", what), .where = where, .remedy = "the file is damaged or cut short; restore it from a good copy"});
  };
  std::string_view bytes = file_.bytes();
  if (bytes.size() < 8) refuse("shorter than its header length");
  const uint64_t length = parse_little_endian(bytes);
  if (length > kMaximumHeader || length > bytes.size() - 8) refuse("the header is longer than the file");
  const std::string_view data = bytes.substr(8 + length);
  Json header = parse_json(bytes.substr(8, length), where);
  if (!header.is_object()) refuse("the header is not an object");
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) refuse("__metadata__ is not an object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) refuse("__metadata__ holds something other than text");
        metadata_[key] = value.get<std::string>();
      }
      continue;
    }
    const bool complete = entry.is_object() && entry.contains("dtype") && entry.at("dtype").is_string() && entry.contains("shape") &&
                          entry.at("shape").is_array() && entry.contains("data_offsets") && entry.at("data_offsets").is_array() &&
                          entry.at("data_offsets").size() == 2;
    if (!complete) refuse(cat("tensor ", name, " lacks dtype, shape or data_offsets"));
    TensorView tensor{.name = name, .dtype = entry.at("dtype").get<std::string>()};
    uint64_t expected = dtype_size(tensor.dtype, cat(where, ": ", name));
    for (const auto& extent : entry.at("shape")) {
      if (!extent.is_number_unsigned()) refuse(cat("tensor ", name, " has a bad shape"));
      const uint64_t n = extent.get<uint64_t>();
      if (n != 0 && expected > data.size() / n) refuse(cat("tensor ", name, " is larger than the file"));
      expected *= n;
      tensor.shape.push_back(static_cast<int64_t>(n));
    }
    const auto& offsets = entry.at("data_offsets");
    if (!offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned()) refuse(cat("tensor ", name, " has bad offsets"));
    const uint64_t begin = offsets[0].get<uint64_t>(), end = offsets[1].get<uint64_t>();
    if (begin > end || end > data.size() || end - begin != expected) refuse(cat("tensor ", name, " has offsets that do not fit its shape"));
    tensor.bytes = data.substr(begin, end - begin);
    ranges.emplace_back(begin, end);
    tensors_.push_back(std::move(tensor));
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].first < ranges[i - 1].second) refuse("two tensors overlap");
}

const TensorView& SafetensorsFile::tensor(const std::string& name) const {
  for (const auto& tensor : tensors_)
    if (tensor.name == name) return tensor;
  throw bad_input({.what = cat("the file has no tensor ", name), .where = path().string()});
}

}  // namespace picochat::base
