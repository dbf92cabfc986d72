#include "picochat/model/compute.hpp"

#include <cstdlib>

#include <ATen/Context.h>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/budget.hpp"
#include "picochat/model/device.hpp"

namespace picochat::model {
namespace {

using base::cat;

void set_global_modes(const ComputeRequest& options) {
  auto& context = at::globalContext();
  const bool tf32 = options.matmul_precision == "high" || options.matmul_precision == "medium";
  context.setFloat32MatmulPrecision(tf32 ? "high" : "highest");
  // Sums of products stay in float32, also where a product is split over its inner dimension.
  context.setAllowBF16ReductionCuBLAS(/*allow_reduced_precision=*/false, /*allow_splitk=*/true);
  if (!options.deterministic) return;
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  ::setenv("NCCL_ALGO", "Ring", 0);
  ::setenv("NCCL_NVLS_ENABLE", "0", 0);
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
}

void describe(Compute& compute, bool tf32) {
  const auto device = describe_device(compute.options.device);
  compute.name = device.name;
  compute.peak_flops = gate::peak_flops(compute.name, compute.precision, tf32).value_or(0);
  if (compute.options.dtype == at::kBFloat16 && device.compute_major < 8)
    throw base::environment_error({.what = "this GPU does not compute in bfloat16", .where = compute.name, .expected = "compute capability 8.0 or newer",
                                   .found = cat(device.compute_major, ".", device.compute_minor), .remedy = "use --precision float32, or a newer GPU"});
}

// The rank's own device under a launcher, else the first.
int device_index() {
  const char* rank = std::getenv("LOCAL_RANK");
  return rank ? std::atoi(rank) : 0;
}

}  // namespace

std::string resolve_device(const std::string& asked) {
  if (asked == "cpu") return "cpu";
  const auto why = why_no_cuda();
  if (!why) return "cuda";
  if (asked == "cuda")
    throw base::environment_error({.what = "no CUDA device can be used", .where = "--device cuda", .expected = "an NVIDIA GPU", .found = *why,
                                   .remedy = "use --device auto or --device cpu, or add --preflight-only to plan a run for another host"});
  return "cpu";
}

Compute resolve_compute(const ComputeRequest& options) {
  Compute compute;
  compute.device = resolve_device(options.device);
  if (compute.device == "cpu") return compute;
  if (options.precision == "fp16")
    throw base::usage_error({.what = "--precision fp16 is not available in this version", .where = "--precision", .remedy = "use --precision bf16, which needs no loss scaling, or float32"});
  if (options.attention == "fa3" || options.attention == "external_flash")
    throw base::environment_error({.what = "the FlashAttention-3 library is not loaded", .where = cat("--attn-backend ", options.attention),
                                   .remedy = "use --attn-backend cudnn, the fastest that comes with LibTorch on Hopper, or auto"});
  set_global_modes(options);
  compute.options.device = at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device_index()));
  use_device(compute.options.device);
  compute.precision = options.precision == "float32" ? "float32" : "bf16";
  compute.options.dtype = compute.precision == "bf16" ? at::kBFloat16 : at::kFloat;
  compute.options.recompute = options.recompute;
  compute.options.graph = options.graph;
  compute.options.attention = options.attention;
  describe(compute, options.matmul_precision == "high" || options.matmul_precision == "medium");
  return compute;
}

}  // namespace picochat::model
