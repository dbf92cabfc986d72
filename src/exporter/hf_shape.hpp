// The shape that a Hugging Face config.json describes, where it is one of ours.
#pragma once

#include <string>

#include "exporter/architecture.hpp"
#include "picochat/base/json.hpp"

namespace picochat::exporter {

struct HfShape {
  gate::ModelConfig config;
  HfClass hf;         // whose names and rotation it has
  std::string type;   // "qwen2": model_type as the file has it
  // Biases that this class does not have, where the model has others: they are 0 here.
  bool qkv_bias = true, output_bias = true, mlp_bias = true, head_bias = true;
  bool lacks(const std::string& tensor) const;
};

// BadInput naming the key that picochat has no form for.
HfShape read_hf_config(const base::Json& config, const std::string& where);

}  // namespace picochat::exporter
