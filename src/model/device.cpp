#include "picochat/model/device.hpp"

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"

#ifdef PICOCHAT_CUDA
#include <ATen/Context.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#endif

namespace picochat::model {

#ifdef PICOCHAT_CUDA

std::optional<std::string> why_no_cuda() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  int driver = 0;
  if (error == cudaErrorInsufficientDriver && cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0)
    return "no NVIDIA driver is installed here (in a container: it was started without its GPUs)";
  if (error == cudaErrorInsufficientDriver)
    return "the NVIDIA driver is older than this build's CUDA needs (580 or newer for CUDA 13): update it, install cuda-compat, or point PICOCHAT_TORCH_ROOT at a LibTorch for CUDA 12";
  if (error != cudaSuccess) return base::cat("CUDA says: ", cudaGetErrorString(error));
  if (count == 0) return "no NVIDIA GPU is visible (look at nvidia-smi and CUDA_VISIBLE_DEVICES)";
  return std::nullopt;
}

DeviceDescription describe_device(at::Device device) {
  if (!device.is_cuda()) return {"cpu", 1, 0, 0};
  const auto* properties = at::cuda::getDeviceProperties(device.index());
  return {properties->name, c10::cuda::device_count(), properties->major, properties->minor};
}

void use_device(at::Device device) {
  if (device.is_cuda()) c10::cuda::set_device(device.index());
}

DeviceMemory device_memory(at::Device device) {
  if (!device.is_cuda()) return {};
  const c10::cuda::CUDAGuard guard(device);
  size_t free = 0, total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) return {};
  return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
}

namespace {
constexpr size_t kAllSizes = 0;  // the caching allocator's statistics over all sizes of blocks

// The caching allocator knows a device only after the first use of CUDA.
c10::DeviceIndex index_of(at::Device device) {
  at::globalContext().lazyInitDevice(at::kCUDA);
  return device.has_index() ? device.index() : c10::DeviceIndex(0);
}
}

int64_t peak_device_bytes(at::Device device) {
  if (!device.is_cuda()) return 0;
  return c10::cuda::CUDACachingAllocator::getDeviceStats(index_of(device)).allocated_bytes[kAllSizes].peak;
}

void reset_peak_device_bytes(at::Device device) {
  if (device.is_cuda()) c10::cuda::CUDACachingAllocator::resetPeakStats(index_of(device));
}

void synchronize(at::Device device) {
  if (!device.is_cuda()) return;
  const c10::cuda::CUDAGuard guard(device);
  c10::cuda::device_synchronize();
}

struct StreamScope::State {
  explicit State(c10::cuda::CUDAStream stream) : guard(stream) {}
  c10::cuda::CUDAStreamGuard guard;
};

StreamScope::StreamScope(at::Device device) {
  if (!device.is_cuda()) return;
  c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.has_index() ? device.index() : c10::DeviceIndex(-1));
  synchronize(device);  // what was asked for before is done
  state_ = std::make_unique<State>(stream);
}

StreamScope::~StreamScope() {
  if (state_) state_->guard.current_stream().synchronize();
}

struct CapturedWork::State {
  at::cuda::CUDAGraph graph;
};

std::string CapturedWork::capture(const std::function<void()>& work) {
  state_ = std::make_unique<State>();
  try {
    state_->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
    try {
      work();
    } catch (...) {
      try {
        state_->graph.capture_end();
      } catch (...) {
      }
      throw;
    }
    state_->graph.capture_end();
    return "";
  } catch (const std::exception& failure) {
    state_.reset();
    cudaGetLastError();  // a failed capture leaves its error behind
    const std::string text = failure.what();
    return text.substr(0, text.find('\n'));
  }
}

void CapturedWork::replay() {
  base::require(state_ != nullptr, "work is captured before it is replayed");
  state_->graph.replay();
}

#else

std::optional<std::string> why_no_cuda() { return "this build has no CUDA (it was configured without nvcc or with PICOCHAT_CUDA=OFF)"; }
DeviceDescription describe_device(at::Device) { return {"cpu", 1, 0, 0}; }
void use_device(at::Device) {}
DeviceMemory device_memory(at::Device) { return {}; }
int64_t peak_device_bytes(at::Device) { return 0; }
void reset_peak_device_bytes(at::Device) {}
void synchronize(at::Device) {}
struct StreamScope::State {};
StreamScope::StreamScope(at::Device) {}
StreamScope::~StreamScope() = default;
struct CapturedWork::State {};
std::string CapturedWork::capture(const std::function<void()>&) { return "this build has no CUDA"; }
void CapturedWork::replay() {}

#endif

CapturedWork::CapturedWork() = default;
CapturedWork::~CapturedWork() = default;

}  // namespace picochat::model
