// `picochat doctor`: what this host has and lacks, the GPU's driver first. It reads and measures nothing that takes time; `sanity preh100`
// does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "picochat/base/command_output.hpp"
#include "picochat/base/options.hpp"

namespace picochat::factory {

struct DoctorOptions {
  std::string device = "auto";  // cuda: a host without a usable GPU is not well
  std::string dir = ".";        // where runs will lie
  bool json = false;
};
const base::OptionTable<DoctorOptions>& doctor_options();

// One thing that was looked at.
struct HostFact {
  std::string name;
  std::string status;  // ok | note (works without) | bad (a command that needs it will fail)
  std::string found;
  std::string remedy;  // of what is not ok
};

// What the host told; absent: it did not. Judged apart from being read, so that the rules can be tested anywhere.
struct HostReadings {
  bool cuda_wanted = false, cuda_built = false;
  std::optional<std::string> why_no_cuda;                // of the CUDA run time
  std::optional<std::string> driver;                     // "580.65.06"
  std::vector<std::string> gpus;                         // names
  std::optional<int64_t> gpu_memory, memory, disk_free, shared_memory;  // bytes
  std::string libtorch;                                  // version of the libraries that were loaded; empty: not told
  std::string libtorch_folder, instruction_level;
  int cores = 0;
  bool arrow = false, writable = false;
};
HostReadings read_host(const DoctorOptions& options);
std::vector<HostFact> judge_host(const HostReadings& readings);

// {"status": "well"|"not well", "facts": [...]}; the table as text.
base::CommandOutput run_doctor(const DoctorOptions& options);

}  // namespace picochat::factory
