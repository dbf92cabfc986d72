// What the driver says about a GPU, and when that is not good enough. Reading and judging are apart, so that the rules can be tested anywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "factory/sanity/check.hpp"

namespace picochat::factory::sanity {

// An absent figure is one that this GPU or driver does not tell.
struct GpuReadings {
  std::string name, driver;  // "NVIDIA H100 80GB HBM3", "580.65.06"
  std::optional<double> sm_clock_mhz, sm_clock_max_mhz, power_limit_watts, power_default_watts, temperature_celsius;
  std::optional<bool> ecc_enabled;
  std::optional<uint64_t> uncorrected_errors;  // since the driver was loaded
  std::optional<uint64_t> throttle_reasons;    // NVML's bits
};

// Through the driver's management library, loaded at run time. Environment error naming what is missing.
GpuReadings read_gpu(int index, const std::string& library = "libnvidia-ml.so.1");

// The first CUDA device while it multiplies matrices.
GpuReadings read_busy_gpu();

// The oldest driver that runs programs of this CUDA release without its compatibility package; 0: not known.
int least_driver(int cuda_major);

Finding judge_driver(const GpuReadings& gpu, int cuda_major);
// The readings are taken under load: an idle GPU clocks down.
Finding judge_clock(const GpuReadings& gpu);
Finding judge_power_cap(const GpuReadings& gpu);
Finding judge_ecc(const GpuReadings& gpu);
Finding judge_throttle(const GpuReadings& gpu);

struct BandwidthCase {
  std::string device = "cuda";
  double least_gb_per_second = 8;  // PCIe 3 with 16 lanes gives 12
};
Finding host_to_device_bandwidth(const Context&, const BandwidthCase& = {});

}  // namespace picochat::factory::sanity
