#include "exporter/weights_writer.hpp"

#include <charconv>
#include <cmath>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"

namespace picochat::exporter {
namespace {

using base::cat;
using base::Json;

uint64_t part_bytes(const TensorPart& part, at::ScalarType dtype) { return static_cast<uint64_t>(part.count() * dtype_bytes(dtype)); }

std::string shard_name(size_t index, size_t count) {
  return count == 1 ? kSingleWeights : cat("model-", base::zero_padded(index + 1, 5), "-of-", base::zero_padded(count, 5), ".safetensors");
}

// The length field and the JSON header, padded so that the data begins at a multiple of 64 bytes.
std::string file_header(const std::vector<TensorPart>& parts, at::ScalarType dtype) {
  Json header{{"__metadata__", {{"format", "pt"}}}};
  uint64_t offset = 0;
  for (const auto& part : parts) {
    header[part.name] = {{"dtype", safetensors_dtype(dtype)}, {"shape", part.shape}, {"data_offsets", {offset, offset + part_bytes(part, dtype)}}};
    offset += part_bytes(part, dtype);
  }
  std::string text = base::dump(header, -1);
  text.append((64 - (text.size() + 8) % 64) % 64, ' ');
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(static_cast<uint64_t>(text.size()) >> (8 * i));
  return length + text;
}

void write_index(base::FileSystem& files, const base::Path& folder, const std::vector<std::vector<TensorPart>>& shards, at::ScalarType dtype) {
  Json map = Json::object();
  uint64_t size = 0;
  int64_t parameters = 0;
  for (size_t i = 0; i < shards.size(); ++i)
    for (const auto& part : shards[i]) {
      map[part.name] = shard_name(i, shards.size());
      size += part_bytes(part, dtype);
      parameters += part.count();
    }
  base::write_file(files, folder / kWeightsIndex, base::dump(Json{{"metadata", {{"total_parameters", parameters}, {"total_size", size}}}, {"weight_map", map}}) + "\n");
}

}  // namespace

uint64_t parse_size(const std::string& text, const std::string& where) {
  static const std::vector<std::pair<std::string, double>> units{{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"KiB", 1024.0},
                                                                 {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"B", 1}, {"", 1}};
  double number = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(base::trim(std::string_view(end.ptr, static_cast<size_t>(text.data() + text.size() - end.ptr))));
  for (const auto& [name, factor] : units)
    if (end.ec == std::errc{} && base::lower_ascii(unit) == base::lower_ascii(name) && number * factor >= 1 && number * factor < 1e18)
      return static_cast<uint64_t>(std::llround(number * factor));
  throw base::usage_error({.what = "not a size", .where = where, .expected = "a number with B, KB, MB, GB, KiB, MiB or GiB, as 5GB", .found = text});
}

std::vector<std::vector<TensorPart>> plan_shards(const std::vector<TensorPart>& parts, at::ScalarType dtype, uint64_t max_bytes) {
  std::vector<std::vector<TensorPart>> shards;
  uint64_t filled = 0;
  for (const auto& part : parts) {
    const uint64_t bytes = part_bytes(part, dtype);
    if (shards.empty() || filled + bytes > max_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().push_back(part);
    filled += bytes;
  }
  return shards;
}

std::map<std::string, base::Digest> write_weights(base::FileSystem& files, const base::Path& folder, const CheckpointSource& source,
                                                  const std::vector<TensorPart>& parts, at::ScalarType dtype, uint64_t max_bytes) {
  const auto shards = plan_shards(parts, dtype, max_bytes);
  uint64_t total = 0, done = 0;
  for (const auto& part : parts) total += part_bytes(part, dtype);
  base::Progress progress("writing weights", total / 1'000'000, "MB");
  std::map<std::string, base::Digest> digests;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = shard_name(i, shards.size());
    auto file = files.create(folder / name);
    base::Sha256 hash;
    auto append = [&](std::string_view bytes) {
      hash.update(bytes);
      file->append(bytes);
    };
    append(file_header(shards[i], dtype));
    for (const auto& part : shards[i]) {
      source.read(part, dtype, [&](std::string_view bytes) {
        base::throw_if_interrupted();
        append(bytes);
        progress.update((done += bytes.size()) / 1'000'000);
      });
    }
    file->sync();
    file->close();
    digests.emplace(name, hash.finish());
  }
  if (shards.size() > 1) write_index(files, folder, shards, dtype);
  return digests;
}

}  // namespace picochat::exporter
