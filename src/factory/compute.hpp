// What the options of a run ask of a device.
#pragma once

#include "picochat/gate/run_options.hpp"
#include "picochat/model/compute.hpp"

namespace picochat::factory {

using model::Compute;

inline Compute resolve_compute(const gate::RunOptions& o) {
  return model::resolve_compute({.device = o.device, .precision = o.precision, .matmul_precision = o.matmul_precision, .attention = o.attn_backend, .deterministic = o.deterministic,
                                 .recompute = o.gradient_checkpointing, .graph = o.torch_compile});
}

// What a stage's result depends on beside its options. The CPU's arithmetic is the plain case and is not named.
inline void name_compute(base::Json& key_options, const Compute& compute) {
  if (compute.device != "cpu") key_options["compute"] = {{"device", compute.device}, {"precision", compute.precision}};
}

}  // namespace picochat::factory
