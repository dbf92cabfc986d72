// `data hf-import`: rows of a hub's data set, or of local files, become document shards. An import can
// be interrupted at any moment: the same command goes on, and ends with the same bytes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"
#include "picochat/hub/settings.hpp"

namespace picochat::corpus {

struct ImportOptions {
  std::string dataset;                      // namespace/name on the hub, or a local folder or file
  std::optional<std::string> config;
  std::string split = "train";
  std::string text_column = "text";
  std::string out;                          // corpus.txt
  std::optional<std::string> report, documents_dir;
  int64_t document_shard_rows = 1000;
  int64_t max_rows = 1000;                  // looked at, not accepted
  int64_t min_chars = 20;
  bool streaming = true;
  std::optional<std::string> pack_out, pack_name, pack_description;
  bool pack_force = false;

  std::string revision = "main";
  std::optional<std::string> token_env, endpoint;
  std::vector<std::string> data_files;
  int64_t offset = 0;
  std::optional<int64_t> shuffle_seed, max_bytes, max_accepted;
  int64_t min_score = 0;
  std::optional<std::string> language_regex, language_column;
  std::string dedup = "none";
  std::optional<bool> resume;
  bool fresh = false;
  std::optional<int64_t> jobs;
  bool json = false;
};
const base::OptionTable<ImportOptions>& import_options();

// The result's JSON is the report (docs/formats/import.md).
base::CommandOutput hf_import(base::FileSystem& files, const ImportOptions& options,
                              const hub::Environment& environment = hub::process_environment());

}  // namespace picochat::corpus
