// The shape that a Hugging Face config.json describes, where it is one of ours.
#pragma once

#include <string>

#include "exporter/architecture.hpp"
#include "picochat/base/json.hpp"

namespace picochat::exporter {

struct HfShape {
  gate::ModelConfig config;
  HfClass hf;
};

// BadInput naming the key that picochat has no form for.
HfShape read_hf_config(const base::Json& config, const std::string& where);

}  // namespace picochat::exporter
