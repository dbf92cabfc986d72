// hf_import_report.json and its .md: what was read, what was left out and why, what came of it.
#pragma once

#include "corpus/import/journal.hpp"

namespace picochat::corpus::import {

struct ReportFacts {
  const ImportOptions* options = nullptr;
  const Plan* plan = nullptr;
  Limits limits;
  const State* state = nullptr;
  std::vector<ShardRecord> shards;
  std::vector<std::string> local_digests;  // of local files, by index; empty when not read
  double seconds = 0;                      // of this run
  bool resumed = false;
  bool exhausted = false;                  // the split has no more rows
  std::string next_command;
};

base::Json report_json(const ReportFacts& facts);
std::string report_markdown(const base::Json& report);
std::string report_text(const base::Json& report);  // what the command prints

}  // namespace picochat::corpus::import
