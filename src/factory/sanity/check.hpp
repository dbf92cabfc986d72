// One check of `sanity preh100`: what it found, and what it needs from outside.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/factory/sanity.hpp"
#include "picochat/model/compute.hpp"
#include "picochat/model/config.hpp"
#include "picochat/train/process_group.hpp"

namespace picochat::factory::sanity {

using base::Json;
using base::Path;

struct Finding {
  std::string status = "pass";  // pass | fail | skip
  std::string detail;           // one sentence with the figures
  Json extras = Json::object();
};
inline Finding passed_if(bool passed, std::string detail, Json extras = Json::object()) { return {passed ? "pass" : "fail", std::move(detail), std::move(extras)}; }
inline Finding skipped(std::string why) { return {"skip", std::move(why), Json::object()}; }

struct Context {
  base::FileSystem& files;
  const SanityOptions& options;
  Path work;  // an empty folder of the check's own
  // A fault on one of the two sides that a check compares; tests put one in. Parameters as the faulty side sees them.
  std::function<void(const at::Tensor& parameters)> fault = [](const at::Tensor&) {};
  train::ProcessGroup* group = nullptr;  // the ranks that a launcher started; null: one process
  model::Compute compute = {};  // what is tested; the other side of a comparison is plain operations in float32 on the CPU

  bool cuda() const { return compute.options.device.is_cuda(); }
  bool half() const { return compute.options.dtype == at::kBFloat16; }
};

// --- the model -----------------------------------------------------------------------------------------------------
Finding attention_backend(const Context&);       // logits of the kernels against the plain path
Finding modern_init_loss(const Context&);        // a fresh modern model guesses uniformly
Finding precision_backward(const Context&);      // one AdamW step lowers the loss of its own batch
Finding kv_cache_equivalence(const Context&);    // token by token against the whole text
Finding kernels_against_reference(const Context&);  // loss and gradients, both residual forms
Finding compiled_step(const Context&);           // torch_compile: on CUDA a captured micro-step against the same launched anew

// --- training and data ---------------------------------------------------------------------------------------------
struct ResumeGuardCase {
  std::string first = "corpus A", second = "corpus B";  // what the two runs are made of
};
Finding resume_fingerprint_guard(const Context&, const ResumeGuardCase& = {});
struct ResumeLossCase {
  int64_t seed = 123, resumed_seed = 123;
};
Finding resume_loss_determinism(const Context&, const ResumeLossCase& = {});
struct LoaderCase {
  int64_t documents = 12;
  bool flip_a_bit = false;  // in a shard, after it was written
};
Finding sharded_loader(const Context&, const LoaderCase& = {});
struct RankSplitCase {
  int64_t tokens = 96 * 4, context = 4, batch = 8, world = 4;
};
Finding ddp_batcher_rank_split(const Context&, const RankSplitCase& = {});
Finding hf_export(const Context&);
struct CollectiveCase {
  int64_t rank = 0, world = 1;
  std::function<void(std::vector<float>& values)> all_reduce;  // sum over the ranks, in place
};
Finding collective(const Context&, const CollectiveCase& = {});
// Of real processes, on their device. Every rank calls this at the same point; what it returns is judged on rank 0.
CollectiveCase collective_case(train::ProcessGroup& group, at::Device device);

// --- the host ------------------------------------------------------------------------------------------------------
struct HostLimits {
  double least_gflops = 1;                 // of a float32 matrix product, all threads
  double least_share_of_datasheet = 0.5;   // of a GPU's product
  double least_disk_mb_per_second = 20;    // written and synced
  int64_t least_disk_bytes = int64_t{2} << 30;
  double largest_clock_error = 0.2;        // of a measured interval, between two clocks
  std::string libtorch = "2.11.0";
};
Finding gemm_peak(const Context&, const HostLimits& = {});
Finding disk_speed(const Context&, const HostLimits& = {});
Finding disk_space(const Context&, const HostLimits& = {});
Finding clock_steady(const Context&, const HostLimits& = {});
Finding library_versions(const Context&, const HostLimits& = {});

// --- the preset ----------------------------------------------------------------------------------------------------
Finding scale_capacity(const Context&);

// The model of the reference's checks: 2 layers, width 32, 4 heads, soft cap 30.
model::Config tiny_config(int64_t vocab_size, int64_t context_size);

// The most memory that this process has held, in bytes.
int64_t peak_resident_bytes();

}  // namespace picochat::factory::sanity
