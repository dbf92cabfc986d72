#include "bind.hpp"
#include "picochat/exporter/export_gguf.hpp"
#include "picochat/exporter/export_hf.hpp"
#include "picochat/exporter/import_hf.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> export_commands() {
  auto& files = base::real_file_system();
  return {
      bind_output({"export", "hf"}, "write a folder that Hugging Face transformers loads", exporter::export_hf_options(),
                  [&files](const exporter::ExportHfOptions& o) { return exporter::export_hf(files, o); }),
      bind_output({"export", "gguf"}, "write a file that llama.cpp loads", exporter::export_gguf_options(),
                  [&files](const exporter::ExportGgufOptions& o) { return exporter::export_gguf(files, o); }),
      bind_output({"import", "hf"}, "make a checkpoint of a Hugging Face model folder", exporter::import_hf_options(),
                  [&files](const exporter::ImportHfOptions& o) { return exporter::import_hf(files, o); }),
  };
}

}  // namespace picochat::cli
