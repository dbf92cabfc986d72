// Runs another program and waits for it.
#pragma once

#include <string>
#include <vector>

namespace picochat::exporter {

struct ProcessResult {
  int code = -1;  // exit code; 127: no such program; 128 + signal
  std::string output, errors;
};

// `environment`: "NAME=value" entries added to ours.
ProcessResult run_process(const std::vector<std::string>& command, const std::vector<std::string>& environment = {});

}  // namespace picochat::exporter
