// README.md of an export.
#pragma once

#include <string>

#include "exporter/architecture.hpp"
#include "exporter/compare.hpp"
#include "exporter/run_evidence.hpp"

namespace picochat::exporter {

struct CardFacts {
  std::string model_name, license;
  std::string dataset_summary, eval_summary;  // empty: not given
  gate::ModelConfig config;
  HfClass hf = HfClass::kPicochat;
  std::string dtype;
  std::string tokenizer_type;
  base::Json metadata;                        // of the checkpoint
  base::Digest checkpoint, tokenizer;
  RunEvidence evidence;
  Comparison comparison;
};

// The line that a reader sees first: "**Release gate: BLOCKED**. ..."
std::string verdict_line(const ReleaseVerdict& verdict);

// YAML front matter, the verdict, and what a stranger needs to judge and load the model.
std::string model_card(const CardFacts& facts);

}  // namespace picochat::exporter
