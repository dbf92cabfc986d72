#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include <ATen/ATen.h>
#include <torch/version.h>

#include "factory/gemm_peak.hpp"
#include "factory/sanity/check.hpp"
#include "picochat/base/build_info.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/determinism.hpp"

namespace picochat::factory::sanity {

using base::cat;

Finding gemm_peak(const Context& context, const HostLimits& limits) {
  if (context.cuda()) {
    constexpr int kSize = 8192;
    const double best = 1e-12 * measure_gemm_flops(kSize, 10, context.compute.options.device, context.compute.options.dtype), datasheet = 1e-12 * context.compute.peak_flops;
    const double wanted = limits.least_share_of_datasheet * datasheet;
    return passed_if(best > 0 && best >= wanted, cat(context.compute.precision, " product of ", kSize, " x ", kSize, ": ", base::fixed(best, 0), " TFLOP/s",
                                                     datasheet > 0 ? cat(", ", base::fixed(100 * best / datasheet, 0), "% of the datasheet's ", base::fixed(datasheet, 0), ", at least ", base::fixed(100 * limits.least_share_of_datasheet, 0), "% wanted") : ""),
                     {{"tflops", best}, {"datasheet_tflops", datasheet > 0 ? Json(datasheet) : Json(nullptr)}});
  }
  constexpr int kSize = 1536;
  const double best = 1e-9 * measure_gemm_flops(kSize, 5);
  const bool right = best > 0;
  return passed_if(right && best >= limits.least_gflops, cat("float32 product of ", kSize, " x ", kSize, ": ", base::fixed(best, 0), " GFLOP/s on ", model::compute_threads(), " threads", right ? "" : ", with a wrong result"),
                   {{"gflops", best}, {"threads", model::compute_threads()}});
}

Finding disk_speed(const Context& context, const HostLimits& limits) {
  constexpr size_t kPiece = 4u << 20, kPieces = 32;
  const std::string piece(kPiece, 'x');
  const double begun = base::monotonic_seconds();
  auto file = context.files.create(context.work / "speed");
  for (size_t i = 0; i < kPieces; ++i) file->append(piece);
  file->sync();
  file->close();
  const double rate = 1e-6 * static_cast<double>(kPiece * kPieces) / (base::monotonic_seconds() - begun);
  return passed_if(rate >= limits.least_disk_mb_per_second, cat("128 MiB written and synced at ", base::fixed(rate, 0), " MB/s, at least ", base::fixed(limits.least_disk_mb_per_second, 0), " wanted"), {{"mb_per_second", rate}});
}

Finding disk_space(const Context& context, const HostLimits& limits) {
  struct statvfs disk {}, shared {};
  if (::statvfs(context.work.c_str(), &disk) != 0) return passed_if(false, cat("the disk of ", context.work.string(), " cannot be asked"));
  const auto free = static_cast<int64_t>(disk.f_bavail * disk.f_frsize);
  Json extras{{"free_bytes", free}};
  std::string memory = "/dev/shm is not there";
  if (::statvfs("/dev/shm", &shared) == 0) {
    extras["dev_shm_free_bytes"] = static_cast<int64_t>(shared.f_bavail * shared.f_frsize);
    memory = cat(base::human_bytes(shared.f_bavail * shared.f_frsize), " of /dev/shm");
  }
  return passed_if(free >= limits.least_disk_bytes, cat(base::human_bytes(static_cast<uint64_t>(free)), " of disk free, at least ", base::human_bytes(static_cast<uint64_t>(limits.least_disk_bytes)), " wanted; ", memory), extras);
}

// Rates and time estimates stand on the clock: two clocks must agree on an interval, and the date must be possible.
Finding clock_steady(const Context&, const HostLimits& limits) {
  const double monotonic = base::monotonic_seconds(), wall = base::unix_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  const double one = base::monotonic_seconds() - monotonic, other = base::unix_seconds() - wall, error = std::abs(one - other) / one;
  const bool possible = wall > 1'735'689'600;  // 2025
  return passed_if(error <= limits.largest_clock_error && possible, cat("two clocks measure ", base::fixed(1000 * one, 1), " and ", base::fixed(1000 * other, 1), " ms; the date is ", base::utc_timestamp().substr(0, 10)), {{"relative_error", error}});
}

Finding library_versions(const Context&, const HostLimits& limits) {
  const std::string found = TORCH_VERSION;
  return passed_if(found.starts_with(limits.libtorch), cat("picochat ", base::build_info().version, ", LibTorch ", found, ", kernels for ", model::instruction_level()),
                   {{"libtorch", found}, {"picochat", base::build_info().version}, {"instruction_level", model::instruction_level()}});
}

int64_t peak_resident_bytes() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace picochat::factory::sanity
