// `import hf`: a Hugging Face model folder of an architecture that picochat has becomes a checkpoint
// with its tokenizer, so that fine-tuning, evaluation and serving work on it.
#pragma once

#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::exporter {

struct ImportHfOptions {
  std::string model, out_dir;
  bool json = false;
};
const base::OptionTable<ImportHfOptions>& import_hf_options();

// Writes <out_dir>/checkpoint, tokenizer.json and import_report.json whole or not at all, after the logits of both
// forms were compared. BadInput names the key of config.json that picochat has no form for.
base::CommandOutput import_hf(base::FileSystem& files, const ImportHfOptions& options);

}  // namespace picochat::exporter
