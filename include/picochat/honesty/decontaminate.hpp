// `data decontaminate`: a copy of a corpus without what gives eval rows away, as document shards, and a report of
// what went. The rules are those of `data honesty`, which finds nothing to block on in the copy.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::honesty {

struct DecontaminateOptions {
  std::optional<std::string> dataset_pack, corpus, recipe, eval_input;
  std::vector<std::string> external_eval;  // [NAME=]PATH
  std::string out;                         // folder to write; new or empty
  std::string remove = "document";         // or "passage"
  std::string level = "warn";              // or "block": leave near matches and shorter runs in
  double near_threshold = 0.86;
  int64_t ngram_size = 13;
  int64_t rows_per_shard = 10000;
  int64_t threads = 0;
  bool json = false;
};
const base::OptionTable<DecontaminateOptions>& decontaminate_options();
// <out>/documents/shard-NNNNNN.jsonl, decontamination_report.json and .md, written last.
base::CommandOutput run_decontaminate(base::FileSystem& files, const DecontaminateOptions& options);

}  // namespace picochat::honesty
