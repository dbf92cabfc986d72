// What a GPU needs around a computation: a stream of its own, and a sequence of launches captured once and replayed.
// On the CPU all of this does nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <c10/core/Device.h>

namespace picochat::model {

// Whether this build and this host can compute on a CUDA device; else why not, for an error message.
std::optional<std::string> why_no_cuda();

struct DeviceDescription {
  std::string name;  // "NVIDIA H100 80GB HBM3"
  int count = 0;     // of devices that this process sees
  int compute_major = 0, compute_minor = 0;
};
DeviceDescription describe_device(at::Device device);

// Makes it the device that this thread's launches go to.
void use_device(at::Device device);

// Bytes of the device's memory: free and in all.
struct DeviceMemory {
  int64_t free = 0, total = 0;
};
DeviceMemory device_memory(at::Device device);
// The largest amount that tensors held at once since the last reset; 0 on the CPU.
int64_t peak_device_bytes(at::Device device);
void reset_peak_device_bytes(at::Device device);

// Waits until the device has done what was asked of it.
void synchronize(at::Device device);

// While it lives, what this thread asks of the device goes to one stream that is not the default one: what is to be
// captured must not be there.
class StreamScope {
 public:
  explicit StreamScope(at::Device device);
  ~StreamScope();
  StreamScope(const StreamScope&) = delete;
  StreamScope& operator=(const StreamScope&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Launches captured as a CUDA graph. The work must use the same memory in every call and ask nothing of the host.
class CapturedWork {
 public:
  CapturedWork();
  ~CapturedWork();
  // Captures without running. Empty: it worked; else why not, and the work must be run as it is.
  std::string capture(const std::function<void()>& work);
  void replay();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace picochat::model
