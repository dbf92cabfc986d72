// What an import reads and how it chooses: fixed when it starts, so that going on means the same. Only
// the limits may grow later.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/corpus/hf_import.hpp"
#include "picochat/hub/data_files.hpp"

namespace picochat::corpus::import {

using base::Path;

struct PlannedFile {
  hub::RepoFile file;
  int64_t modified_ns = 0;  // local files
};

struct Filters {
  int64_t min_chars = 1, min_score = 0, offset = 0;
  std::optional<std::string> language_regex, language_column;
  std::string dedup = "none";
  std::optional<int64_t> shuffle_seed;
  friend bool operator==(const Filters&, const Filters&) = default;
};

struct Plan {
  std::string kind;                       // of the source: hub, hub_converted_parquet, cache, local
  std::string dataset, config, split;     // dataset: as given; a local one as an absolute path
  std::string endpoint, revision, commit, license;
  std::string text_column, corpus_file;   // corpus_file: relative to the documents folder
  std::vector<std::string> data_files;
  std::vector<std::string> unreadable;    // files of the split that were passed over
  int64_t shard_rows = 1000;
  Filters filters;
  std::vector<PlannedFile> files;         // in the order of reading
};

struct Limits {
  int64_t max_rows = 0;
  std::optional<int64_t> max_accepted, max_bytes;
  friend bool operator==(const Limits&, const Limits&) = default;
};
Limits limits_of(const ImportOptions& options);
base::Json limits_json(const Limits& limits);
Limits limits_from(const base::Json& json, const std::string& where);

base::Json plan_json(const Plan& plan);
Plan plan_from(const base::Json& json, const std::string& where);

// "min_chars: 200 -> 300", one line for each thing that the options ask to be otherwise than planned.
std::vector<std::string> changes(const Plan& plan, const ImportOptions& options);

Path documents_folder(const ImportOptions& options);
Path report_path(const ImportOptions& options);

}  // namespace picochat::corpus::import
