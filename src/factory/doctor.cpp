#include "picochat/factory/doctor.hpp"

#include <dlfcn.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include <torch/headeronly/version.h>

#include "factory/preflight_facts.hpp"
#include "factory/sanity/gpu.hpp"
#include "picochat/base/build_info.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/text.hpp"
#include "picochat/model/determinism.hpp"
#include "picochat/model/device.hpp"

namespace picochat::factory {
namespace {

using base::cat;
using base::Json;

constexpr int kCudaMajor = 13;
constexpr int64_t kLeastDisk = int64_t{2} << 30, kLeastMemory = int64_t{2} << 30, kLeastShared = int64_t{1} << 30;

std::optional<int64_t> free_bytes(const std::string& path) {
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0) return std::nullopt;
  return static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
}

// Where LibTorch was loaded from: the folder above lib/.
std::filesystem::path libtorch_folder() {
  Dl_info info{};
  const void* function = ::dlsym(RTLD_DEFAULT, "_ZN2at13globalContextEv");  // by name: an address taken here may lie in this program
  if (!function || ::dladdr(function, &info) == 0 || !info.dli_fname) return {};
  std::error_code ignored;
  return std::filesystem::weakly_canonical(info.dli_fname, ignored).parent_path().parent_path();
}

// A wheel says its version beside its libraries, and in its headers.
std::string version_in(const std::filesystem::path& folder) {
  const auto between = [&](const char* file, const std::string& key, char end) -> std::string {
    if (!std::filesystem::is_regular_file(folder / file)) return {};
    const std::string text = base::read_file(folder / file);
    const size_t at = text.find(key);
    return at == std::string::npos ? "" : text.substr(at + key.size(), text.find(end, at + key.size()) - at - key.size());
  };
  if (const auto version = between("version.py", "__version__ = '", '\''); !version.empty()) return version;
  const char* header = "include/torch/headeronly/version.h";
  const auto major = between(header, "#define TORCH_VERSION_MAJOR ", '\n');
  return major.empty() ? "" : cat(major, ".", between(header, "#define TORCH_VERSION_MINOR ", '\n'), ".", between(header, "#define TORCH_VERSION_PATCH ", '\n'));
}

std::string bytes(const std::optional<int64_t>& value) { return value ? base::human_bytes(static_cast<uint64_t>(*value)) : "not told"; }

HostFact at_least(const std::string& name, const std::optional<int64_t>& found, int64_t least, const std::string& bad_status, const std::string& remedy) {
  if (found && *found >= least) return {name, "ok", bytes(found), ""};
  return {name, bad_status, cat(bytes(found), ", at least ", base::human_bytes(static_cast<uint64_t>(least)), " wanted"), remedy};
}

}  // namespace

const base::OptionTable<DoctorOptions>& doctor_options() {
  static const auto table = [] {
    base::OptionTable<DoctorOptions> t;
    t.add("device", &DoctorOptions::device, "cuda: a host without a usable GPU is not well").choose({"auto", "cpu", "cuda"});
    t.add("dir", &DoctorOptions::dir, "folder where runs will lie").metavar = "DIR";
    t.add("json", &DoctorOptions::json, "print the findings as JSON");
    return t;
  }();
  return table;
}

HostReadings read_host(const DoctorOptions& options) {
  HostReadings r;
  r.cuda_wanted = options.device == "cuda";
#ifdef PICOCHAT_CUDA
  r.cuda_built = true;
#endif
  if (options.device != "cpu") {
    r.why_no_cuda = model::why_no_cuda();
    try {
      r.driver = sanity::read_gpu(0).driver;
    } catch (const base::Error&) {  // no driver, or no GPU: the CUDA run time says which
    }
    if (!r.why_no_cuda) {
      const auto gpu = model::describe_device(at::Device(at::kCUDA, 0));
      r.gpus.assign(static_cast<size_t>(gpu.count), gpu.name);
      r.gpu_memory = model::device_memory(at::Device(at::kCUDA, 0)).total;
    }
  }
  r.memory = usable_memory();
  r.disk_free = free_bytes(options.dir);
  r.shared_memory = free_bytes("/dev/shm");
  r.libtorch_folder = libtorch_folder().string();
  r.libtorch = version_in(r.libtorch_folder);
  r.instruction_level = model::instruction_level();
  r.cores = static_cast<int>(std::thread::hardware_concurrency());
#ifdef PICOCHAT_ARROW
  r.arrow = true;
#endif
  r.writable = ::access(options.dir.c_str(), W_OK) == 0;
  return r;
}

std::vector<HostFact> judge_host(const HostReadings& r) {
  std::vector<HostFact> facts;
  const std::string without = r.cuda_wanted ? "bad" : "note";
  const int least = sanity::least_driver(kCudaMajor), driver = r.driver ? std::atoi(r.driver->c_str()) : 0;
  if (r.driver && driver < least)
    facts.push_back({"driver", without, cat(*r.driver, ", CUDA ", kCudaMajor, " needs ", least, " or newer"),
                     "update the driver, install cuda-compat, or point PICOCHAT_TORCH_ROOT at a LibTorch for CUDA 12 and build against it"});
  else
    facts.push_back({"driver", r.driver ? "ok" : without, r.driver.value_or("none"), r.driver ? "" : "a GPU needs NVIDIA's driver; in a container, start it with --gpus all. Without one everything runs on the CPU"});
  if (!r.cuda_built)
    facts.push_back({"GPU", without, "this build has no CUDA", "build where nvcc of CUDA 13 is, or take a package that has it"});
  else if (r.why_no_cuda)
    facts.push_back({"GPU", without, *r.why_no_cuda, "see to the driver first; then look at nvidia-smi and CUDA_VISIBLE_DEVICES"});
  else
    facts.push_back({"GPU", r.gpus.empty() ? without : "ok", r.gpus.empty() ? "none" : cat(r.gpus.size(), " x ", r.gpus.front(), ", ", bytes(r.gpu_memory)), r.gpus.empty() ? "look at nvidia-smi" : ""});
  const bool right_torch = r.libtorch.starts_with(TORCH_VERSION);
  facts.push_back({"LibTorch", right_torch ? "ok" : r.libtorch.empty() ? "note" : "bad", r.libtorch.empty() ? cat(r.libtorch_folder, " does not tell its version") : cat(r.libtorch, " in ", r.libtorch_folder),
                   right_torch ? "" : cat("this program is made for ", TORCH_VERSION, ": set PICOCHAT_TORCH_ROOT, or run picochat-fetch-torch")});
  facts.push_back({"processor", r.instruction_level == "x86-64" ? "note" : "ok", cat(r.cores, " cores, kernels for ", r.instruction_level), r.instruction_level == "x86-64" ? "an older processor: the CPU's kernels run without AVX" : ""});
  facts.push_back(at_least("memory", r.memory, kLeastMemory, "bad", "close other programs, or raise the container's limit"));
  facts.push_back(at_least("disk", r.disk_free, kLeastDisk, "bad", "free some space, or give --dir and --out-dir on a larger disk"));
  facts.push_back({"folder", r.writable ? "ok" : "bad", r.writable ? "can be written" : "cannot be written", r.writable ? "" : "choose a folder of yours with --dir and --out-dir"});
  facts.push_back(at_least("/dev/shm", r.shared_memory, kLeastShared, "note", "several GPUs exchange through it: in a container, start it with --shm-size=8g or --ipc=host"));
  facts.push_back({"Parquet", r.arrow ? "ok" : "note", r.arrow ? "readable" : "this build reads no Parquet files", r.arrow ? "" : "run scripts/setup and build again"});
  return facts;
}

base::CommandOutput run_doctor(const DoctorOptions& options) {
  const auto facts = judge_host(read_host(options));
  const bool well = std::none_of(facts.begin(), facts.end(), [](const HostFact& fact) { return fact.status == "bad"; });
  Json list = Json::array();
  std::string text;
  for (const auto& fact : facts) {
    list.push_back({{"name", fact.name}, {"status", fact.status}, {"found", fact.found}, {"remedy", fact.remedy}});
    text += cat(base::padded(fact.status, 5), base::padded(fact.name, 11), fact.found, "\n");
    if (!fact.remedy.empty()) text += cat(std::string(16, ' '), "to do: ", fact.remedy, "\n");
  }
  text += well ? "this host is well; before a long run: picochat sanity preh100\n" : "this host is not well: see to what is bad\n";
  return {{{"status", well ? "well" : "not well"}, {"build", base::build_info_json()}, {"facts", list}}, text};
}

}  // namespace picochat::factory
