// `export hf`: a checkpoint as a folder that Hugging Face transformers loads, with its tokenizer,
// model card, evidence and digests. docs/export.md says what is in it.
#pragma once

#include <optional>
#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::exporter {

struct ExportHfOptions {
  std::string checkpoint, tokenizer, out_dir;
  std::optional<std::string> model_name, license, dataset_summary, eval_summary;
  std::string dtype = "float32", max_shard_size = "5GB";
  bool verify_with_python = false;
  std::string python = "python3";
  std::optional<std::string> expected_out;  // keeps what --verify-with-python compares with
  bool push_to_hub = false, make_private = false, as_blocked_research = false, dry_run = false;
  std::optional<std::string> repo_id, token_env, commit_message;
  std::string revision = "main";
  bool fine_tuned = false, dynamic_int8 = false, safetensors = true, transformers_adapter = true;  // other programs' words, refused
  bool json = false;
};
const base::OptionTable<ExportHfOptions>& export_hf_options();

// Writes --out-dir whole or not at all; an earlier export of ours there is replaced. Then, with --push-to-hub, sends it: a push that
// fails leaves the export where it is. Errors have the exit codes of base/error.hpp.
base::CommandOutput export_hf(base::FileSystem& files, const ExportHfOptions& options);

// What an export of the run's selected checkpoint would say about itself, without its weights and without a licence:
// model card, manifest, configs. A bundle carries them.
void describe_export(base::FileSystem& files, const base::Path& run_dir, const base::Path& folder);

}  // namespace picochat::exporter
