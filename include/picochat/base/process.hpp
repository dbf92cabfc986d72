// Runs another program and waits for it.
#pragma once

#include <string>
#include <vector>

namespace picochat::base {

struct ProcessResult {
  int code = -1;  // exit code; 127: no such program; 128 + signal
  std::string output, errors;
};

enum class Streams { kCapture, kInherit };  // inherited: the program writes where ours does, and the result holds no text

// `environment`: "NAME=value" entries added to ours. Standard input is empty.
ProcessResult run_process(const std::vector<std::string>& command, const std::vector<std::string>& environment = {}, Streams streams = Streams::kCapture);

}  // namespace picochat::base
