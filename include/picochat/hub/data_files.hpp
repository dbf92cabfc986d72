// Which files of a repository or folder make up one split of one config. The rules are those of the
// `datasets` package: the card's `configs`, else "data/<split>-NNNNN-of-NNNNN*", else folder names, else
// file names that hold a split's keyword, else every file is "train".
// https://huggingface.co/docs/hub/datasets-data-files-configuration
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/hub/card.hpp"

namespace picochat::hub {

struct RepoFile {
  std::string path;     // with slashes, below the root of the repository or folder
  uint64_t size = 0;
  std::string sha256;   // of large files; empty when the hub does not say
  std::string git_oid;  // of small ones
};

// fsspec's rules: "*", "?" and "[...]" stay inside a folder, "**" crosses.
bool path_matches(std::string_view pattern, std::string_view path);

struct DataFilesRequest {
  std::optional<std::string> config;
  std::string split = "train";
  std::vector<std::string> patterns;  // of --data-files: they replace what the card says
  // What kind of data a name stands for ("parquet", "jsonl"), "" when it cannot be read.
  std::function<std::string(std::string_view)> kind;
};

struct DataFiles {
  std::string config, split;
  std::vector<RepoFile> files;             // in the order of the patterns, then by path
  std::vector<std::string> unreadable;     // that belong to the split
};

// BadInput: a config or split that is not there (the error names those that are), patterns that match
// nothing. A split whose files cannot be read is no error: `files` is empty then.
DataFiles resolve_data_files(const std::vector<RepoFile>& all, const Card& card, const DataFilesRequest& request, const std::string& where);

}  // namespace picochat::hub
