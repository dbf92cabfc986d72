// Does an export compute what the checkpoint computes?
#pragma once

#include <cstdint>
#include <vector>

#include "exporter/checkpoint_source.hpp"
#include "exporter/exported_model.hpp"

namespace picochat::exporter {

// Largest |difference| of two logits, over max(1, largest |logit|), that passes.
inline constexpr double kLogitTolerance = 1e-4;

struct Comparison {
  int64_t blocks = 0, tokens = 0;
  bool whole_model = false;          // all layers together, too
  double largest_difference = 0;     // relative to max(1, largest |logit|)
  base::Json to_json() const;
};

// Token ids that touch the whole vocabulary at random, the same for every export of one shape.
std::vector<int32_t> comparison_tokens(const gate::ModelConfig& config);

// The checkpoint's parameters, rounded as the export's dtype rounds them. `layers` chooses blocks; the
// result is laid out for a model of just those.
at::Tensor rounded_parameters(const CheckpointSource& source, at::ScalarType dtype, const std::vector<int64_t>& layers);
gate::ModelConfig with_layers(gate::ModelConfig config, int64_t layers);

// Each block between the embedding and the head, then, where it takes under 2 GiB, the whole model.
// An internal error names the first block that differs by more than kLogitTolerance.
Comparison compare_with_checkpoint(const ExportedModel& exported, const CheckpointSource& source, at::ScalarType dtype);

}  // namespace picochat::exporter
