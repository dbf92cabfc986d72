// `export gguf`: one file that llama.cpp and the programs built on it load. docs/export.md says which
// models can be written.
#pragma once

#include <optional>
#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::exporter {

struct ExportGgufOptions {
  std::string checkpoint, tokenizer, out;
  std::optional<std::string> model_name, license;
  std::string dtype = "f16";
  bool json = false;
};
const base::OptionTable<ExportGgufOptions>& export_gguf_options();

// Writes the file whole or not at all. BadInput for a model or tokenizer that llama.cpp has no form for.
base::CommandOutput export_gguf(base::FileSystem& files, const ExportGgufOptions& options);

}  // namespace picochat::exporter
