// Weights as Hugging Face lays them out: model.safetensors, or numbered shards with an index.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "exporter/checkpoint_source.hpp"
#include "picochat/base/file_system.hpp"

namespace picochat::exporter {

inline constexpr const char* kSingleWeights = "model.safetensors";
inline constexpr const char* kWeightsIndex = "model.safetensors.index.json";

// "5GB" (10^9), "500MB", "2GiB", "1000000"; usage error otherwise.
uint64_t parse_size(const std::string& text, const std::string& where);

// Consecutive tensors, each shard as full as max_bytes allows; a larger tensor has a shard of its own.
std::vector<std::vector<TensorPart>> plan_shards(const std::vector<TensorPart>& parts, at::ScalarType dtype, uint64_t max_bytes);

// Writes and syncs the files; the digest of each, taken from the bytes as they went out.
std::map<std::string, base::Digest> write_weights(base::FileSystem& files, const base::Path& folder, const CheckpointSource& source,
                                                  const std::vector<TensorPart>& parts, at::ScalarType dtype, uint64_t max_bytes);

}  // namespace picochat::exporter
