#include "factory/sanity/gpu.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include <ATen/ATen.h>

#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

namespace picochat::factory::sanity {
namespace {

using base::cat;

// NVML's stable C interface: codes, enumerators and bits as its manual gives them.
constexpr int kSuccess = 0, kClockSm = 1, kSensorGpu = 0, kUncorrected = 1, kVolatile = 0;
constexpr uint64_t kSoftwarePowerCap = 0x4, kHardwareSlowdown = 0x8, kSoftwareThermal = 0x20, kHardwareThermal = 0x40, kPowerBrake = 0x80;

class Library {
 public:
  explicit Library(const std::string& name) : handle_(::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_)
      throw base::environment_error({.what = "the GPU driver's management library cannot be loaded", .where = name, .remedy = "install the NVIDIA driver; in a container, start it with the utility capability"});
  }
  ~Library() { ::dlclose(handle_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  // False when the function is not there or does not answer.
  template <typename... Arguments>
  bool ask(const char* function, Arguments... arguments) const {
    const auto call = reinterpret_cast<int (*)(Arguments...)>(::dlsym(handle_, function));
    return call && call(arguments...) == kSuccess;
  }

 private:
  void* handle_;
};

struct Shutdown {
  const Library& library;
  ~Shutdown() { library.ask("nvmlShutdown"); }
};

Finding not_told(const char* what) { return passed_if(false, cat("the driver does not tell the ", what, ": it cannot be judged")); }

std::string watts(double value) { return cat(base::fixed(value, 0), " W"); }

}  // namespace

GpuReadings read_gpu(int index, const std::string& name) {
  const Library library(name);
  if (!library.ask("nvmlInit_v2")) throw base::environment_error({.what = "the GPU driver does not answer", .where = name, .remedy = "look whether nvidia-smi works on this host"});
  const Shutdown shutdown{library};
  GpuReadings out;
  char text[96] = {};
  if (library.ask("nvmlSystemGetDriverVersion", static_cast<char*>(text), 96u)) out.driver = text;
  void* device = nullptr;
  if (!library.ask("nvmlDeviceGetHandleByIndex_v2", static_cast<unsigned>(index), &device))
    throw base::environment_error({.what = cat("there is no GPU ", index), .where = name, .remedy = "look at the list of nvidia-smi -L"});
  if (library.ask("nvmlDeviceGetName", device, static_cast<char*>(text), 96u)) out.name = text;
  unsigned value = 0;
  if (library.ask("nvmlDeviceGetClockInfo", device, kClockSm, &value)) out.sm_clock_mhz = value;
  if (library.ask("nvmlDeviceGetMaxClockInfo", device, kClockSm, &value)) out.sm_clock_max_mhz = value;
  if (library.ask("nvmlDeviceGetEnforcedPowerLimit", device, &value)) out.power_limit_watts = value / 1000.0;
  if (library.ask("nvmlDeviceGetPowerManagementDefaultLimit", device, &value)) out.power_default_watts = value / 1000.0;
  if (library.ask("nvmlDeviceGetTemperature", device, kSensorGpu, &value)) out.temperature_celsius = value;
  int enabled = 0, pending = 0;
  if (library.ask("nvmlDeviceGetEccMode", device, &enabled, &pending)) out.ecc_enabled = enabled != 0;
  unsigned long long count = 0;
  if (library.ask("nvmlDeviceGetTotalEccErrors", device, kUncorrected, kVolatile, &count)) out.uncorrected_errors = count;
  if (library.ask("nvmlDeviceGetCurrentClocksThrottleReasons", device, &count)) out.throttle_reasons = count;
  return out;
}

GpuReadings read_busy_gpu() {
  constexpr int64_t kSize = 8192;
  constexpr int kProducts = 300;  // a third of a second on an H100; they are queued, so the driver is asked meanwhile
  const auto options = at::TensorOptions().dtype(at::kBFloat16).device(at::kCUDA, 0);
  const at::Tensor a = at::ones({kSize, kSize}, options), b = at::ones({kSize, kSize}, options);
  at::Tensor c = at::mm(a, b);
  for (int i = 0; i < kProducts; ++i) at::mm_out(c, a, b);
  const GpuReadings readings = read_gpu(0);
  c[0][0].item<float>();
  return readings;
}

int least_driver(int cuda_major) { return cuda_major == 13 ? 580 : cuda_major == 12 ? 525 : 0; }

Finding judge_driver(const GpuReadings& gpu, int cuda_major) {
  const int least = least_driver(cuda_major), found = std::atoi(gpu.driver.c_str());
  const bool good = found > 0 && found >= least;
  return passed_if(good, cat("driver ", gpu.driver.empty() ? "unknown" : gpu.driver, " of ", gpu.name, "; CUDA ", cuda_major, " needs ", least, " or newer",
                             good ? "" : ": update it, install cuda-compat, or build with PICOCHAT_TORCH_ROOT at a LibTorch for CUDA 12"),
                   {{"driver", gpu.driver}, {"gpu", gpu.name}, {"least_driver", least}});
}

Finding judge_clock(const GpuReadings& gpu) {
  constexpr double kLeast = 0.6;
  if (!gpu.sm_clock_mhz || !gpu.sm_clock_max_mhz) return not_told("SM clock");
  const double share = *gpu.sm_clock_mhz / *gpu.sm_clock_max_mhz;
  return passed_if(share >= kLeast, cat("SM clock under load ", base::fixed(*gpu.sm_clock_mhz, 0), " of ", base::fixed(*gpu.sm_clock_max_mhz, 0), " MHz, at least ", base::fixed(100 * kLeast, 0), "% wanted"),
                   {{"sm_clock_mhz", *gpu.sm_clock_mhz}, {"sm_clock_max_mhz", *gpu.sm_clock_max_mhz}});
}

Finding judge_power_cap(const GpuReadings& gpu) {
  constexpr double kLeast = 0.9;
  if (!gpu.power_limit_watts || !gpu.power_default_watts) return not_told("power limit");
  return passed_if(*gpu.power_limit_watts >= kLeast * *gpu.power_default_watts,
                   cat("power limit ", watts(*gpu.power_limit_watts), ", the GPU's own is ", watts(*gpu.power_default_watts), ", at least ", base::fixed(100 * kLeast, 0), "% of it wanted"),
                   {{"power_limit_watts", *gpu.power_limit_watts}, {"power_default_watts", *gpu.power_default_watts}});
}

Finding judge_ecc(const GpuReadings& gpu) {
  if (!gpu.ecc_enabled || !gpu.uncorrected_errors) return not_told("state of error correction");
  return passed_if(*gpu.ecc_enabled && *gpu.uncorrected_errors == 0,
                   cat("error correction is ", *gpu.ecc_enabled ? "on" : "off", ", ", *gpu.uncorrected_errors, " errors that it could not correct since the driver was loaded"),
                   {{"ecc_enabled", *gpu.ecc_enabled}, {"uncorrected_errors", *gpu.uncorrected_errors}});
}

Finding judge_throttle(const GpuReadings& gpu) {
  if (!gpu.throttle_reasons) return not_told("reasons for throttling");
  const uint64_t bits = *gpu.throttle_reasons;
  std::vector<std::string> bad;
  if (bits & kHardwareSlowdown) bad.emplace_back("hardware slowdown");
  if (bits & kSoftwareThermal) bad.emplace_back("temperature (driver)");
  if (bits & kHardwareThermal) bad.emplace_back("temperature (hardware)");
  if (bits & kPowerBrake) bad.emplace_back("power brake");
  std::string text = bad.empty() ? "the GPU is not held back" : cat("the GPU is held back: ", base::join(bad, ", "));
  if (bits & kSoftwarePowerCap) text += "; it runs at its power limit, as a busy GPU may";
  if (gpu.temperature_celsius) text += cat("; ", base::fixed(*gpu.temperature_celsius, 0), " C");
  return passed_if(bad.empty(), text, {{"throttle_reasons", bits}, {"temperature_celsius", gpu.temperature_celsius ? Json(*gpu.temperature_celsius) : Json(nullptr)}});
}

// The best of five copies of 256 MiB from page-locked memory; what arrived is compared with what was sent.
Finding host_to_device_bandwidth(const Context&, const BandwidthCase& c) {
  constexpr int64_t kCount = int64_t{64} << 20;
  const at::Device device(c.device);
  const bool cuda = device.is_cuda();
  at::Tensor host = at::arange(kCount, at::TensorOptions().dtype(at::kInt));
  if (cuda) host = host.pin_memory();
  at::Tensor there = at::zeros({kCount}, at::TensorOptions().dtype(at::kInt).device(device));
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const double begun = base::monotonic_seconds();
    there.copy_(host);  // returns once the bytes have arrived
    best = std::max(best, 1e-9 * static_cast<double>(host.nbytes()) / (base::monotonic_seconds() - begun));
  }
  const bool same = at::equal(there.cpu(), host);
  return passed_if(same && best >= c.least_gb_per_second, cat("256 MiB to ", c.device, " at ", base::fixed(best, 1), " GB/s, at least ", base::fixed(c.least_gb_per_second, 0), " wanted", same ? "" : "; what arrived differs"),
                   {{"gb_per_second", best}});
}

}  // namespace picochat::factory::sanity
