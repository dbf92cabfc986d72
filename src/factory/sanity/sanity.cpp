#include "picochat/factory/sanity.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <vector>

#include "factory/earlier_runs.hpp"
#include "factory/ranks.hpp"
#include "factory/run_context.hpp"
#include "factory/sanity/check.hpp"
#include "factory/sanity/gpu.hpp"
#include "picochat/base/build_info.hpp"
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/evidence/markdown.hpp"
#include "picochat/gate/presets.hpp"
#include "picochat/model/determinism.hpp"

namespace picochat::factory {
namespace {

using base::cat;
using sanity::Context;
using sanity::Finding;

struct Check {
  const char* name;
  std::function<Finding(const Context&)> run;
};

constexpr double kWaitSeconds = 3600, kLeaveSeconds = 10;  // of ranks
constexpr int kCudaMajor = 13;  // of the pinned LibTorch

// Checks of a GPU: skipped only where the device is the CPU.
Check of_gpu(const char* name, bool cuda, std::function<Finding(const Context&)> run) {
  if (cuda) return {name, std::move(run)};
  return {name, [](const Context&) { return sanity::skipped("device cpu: there is nothing to measure"); }};
}
Check of_gpu(const char* name, bool cuda, Finding (*judge)(const sanity::GpuReadings&)) {
  return of_gpu(name, cuda, [judge](const Context&) { return judge(sanity::read_busy_gpu()); });
}

std::vector<Check> checks(bool cuda) {
  return {{"attention_backend", sanity::attention_backend},
          {"modern_init_loss", sanity::modern_init_loss},
          {"precision_backward", sanity::precision_backward},
          {"kv_cache_equivalence", sanity::kv_cache_equivalence},
          {"resume_fingerprint_guard", [](const Context& c) { return sanity::resume_fingerprint_guard(c); }},
          {"resume_loss_determinism", [](const Context& c) { return sanity::resume_loss_determinism(c); }},
          {"sharded_loader", [](const Context& c) { return sanity::sharded_loader(c); }},
          {"ddp_batcher_rank_split", [](const Context& c) { return sanity::ddp_batcher_rank_split(c); }},
          {"hf_export", sanity::hf_export},
          {"torch_compile", sanity::compiled_step},
          {"scale_capacity", sanity::scale_capacity},
          {"kernels_against_reference", sanity::kernels_against_reference},
          {"gemm_peak", [](const Context& c) { return sanity::gemm_peak(c); }},
          {"disk_speed", [](const Context& c) { return sanity::disk_speed(c); }},
          {"disk_space", [](const Context& c) { return sanity::disk_space(c); }},
          {"clock", [](const Context& c) { return sanity::clock_steady(c); }},
          {"library_versions", [](const Context& c) { return sanity::library_versions(c); }},
          of_gpu("driver", cuda, [](const Context&) { return sanity::judge_driver(sanity::read_gpu(0), kCudaMajor); }),
          of_gpu("host_to_device_bandwidth", cuda, [](const Context& c) { return sanity::host_to_device_bandwidth(c); }),
          of_gpu("gpu_clock", cuda, sanity::judge_clock),
          of_gpu("gpu_power_cap", cuda, sanity::judge_power_cap),
          of_gpu("gpu_ecc", cuda, sanity::judge_ecc),
          of_gpu("gpu_throttle", cuda, sanity::judge_throttle),
          {"collective", [](const Context& c) {
             return c.group ? sanity::collective(c, sanity::collective_case(*c.group, c.compute.options.device)) : sanity::collective(c);
           }}};
}

void require_known(const std::vector<std::string>& names, const std::vector<Check>& all) {
  for (const std::string& name : names)
    if (std::ranges::none_of(all, [&](const Check& check) { return name == check.name; })) {
      std::vector<std::string> known;
      for (const Check& check : all) known.emplace_back(check.name);
      throw base::usage_error({.what = "there is no such check", .where = "--only", .expected = base::join(known, " "), .found = name, .remedy = "take one of these names"});
    }
}

// A check that throws has failed; the others go on.
Finding isolated(const Check& check, const Context& context) {
  const auto& only = context.options.only;
  if (!only.empty() && std::ranges::find(only, check.name) == only.end()) return sanity::skipped("not asked for: --only");
  try {
    return check.run(context);
  } catch (const base::Interrupted&) {
    throw;
  } catch (const std::exception& error) {
    return {"fail", base::replace_all(error.what(), "\n", "; "), Json::object()};
  }
}

std::string markdown(const Json& report) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& check : report.at("checks"))
    rows.push_back({check.at("name").get<std::string>(), check.at("status").get<std::string>(), base::fixed(check.at("seconds").get<double>(), 2), check.at("detail").get<std::string>()});
  return cat("# Sanity of this host: ", report.at("status").get<std::string>(), "\n\nDevice ", report.at("device").get<std::string>(), ", precision ", report.at("precision").get<std::string>(), ", picochat ",
             report.at("build").at("version").get<std::string>(), " (", report.at("build").at("git_commit").get<std::string>().substr(0, 12), "), ", base::fixed(report.at("timing").at("seconds").get<double>(), 1),
             " s.\n\n", evidence::markdown_table({"check", "status", "seconds", "what was found"}, rows, "  :"));
}

}  // namespace

const base::OptionTable<SanityOptions>& sanity_options() {
  using O = SanityOptions;
  static const auto table = [] {
    base::OptionTable<O> t;
    t.add("out_dir", &O::out_dir, "folder for preh100_sanity.json and .md").metavar = "DIR";
    t.add("device", &O::device, "device to test").choose({"auto", "cpu", "cuda", "mps"}).refuse("mps", "use cpu or cuda");
    t.add("precision", &O::precision, "precision to test; the CPU computes in float32").choose({"auto", "float32", "bf16", "fp16"});
    t.add("matmul_precision", &O::matmul_precision, "float32 matrix products on CUDA").choose({"default", "highest", "high", "medium"});
    t.add("attn_backend", &O::attn_backend, "attention to test").choose({"auto", "flash", "efficient", "math", "cudnn", "external_flash", "fa3"});
    t.add("include_compile", &O::include_compile, "also test what --compile means on this device");
    t.add("capacity_scale", &O::capacity_scale, "take optimizer steps of this preset and say what the whole of it would need").metavar = "PRESET";
    t.add("capacity_batch_size", &O::capacity_batch_size, "rows of its micro-batch").at_least(1);
    t.add("capacity_min_free_fraction", &O::capacity_min_free_fraction, "share of memory that must stay free").at_least(0).at_most(1);
    t.add("gpu_hourly_usd", &O::gpu_hourly_usd, "price of a device for an hour, for the projected cost").at_least(0);
    t.add("only", &O::only, "run only this check (repeatable); the report is then \"partial\", which no gate takes for a pass").metavar = "CHECK";
    t.add("threads", &O::threads, "compute threads; 0: one per core").at_least(0);
    t.add("json", &O::json, "print the report as JSON");
    return t;
  }();
  return table;
}

base::CommandOutput run_sanity(base::FileSystem& files, const SanityOptions& options) {
  auto compute = model::resolve_compute({.device = options.device, .precision = options.precision, .matmul_precision = options.matmul_precision, .attention = options.attn_backend});
  if (options.capacity_scale) gate::find_preset(*options.capacity_scale);  // a wrong name is said before anything runs
  const std::vector<Check> all = checks(compute.device == "cuda");
  require_known(options.only, all);
  Group group;
  if (const auto place = train::rank_place(std::getenv); place && place->world_size > 1) {
    if (compute.options.device.is_cuda()) compute.options.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(place->local_rank));
    group = train::ProcessGroup::connect(*place, {.cuda = compute.options.device.is_cuda()});
  }
  model::set_compute_threads(static_cast<int>(options.threads));
  if (!leads(group)) {  // rank 0 tests the host; the others are there to be summed with
    group->report(0, train::kWaitsForLeader);
    sanity::collective(Context{files, options, options.out_dir}, sanity::collective_case(*group, compute.options.device));
    group->next_order(kWaitSeconds);
    return {};
  }
  const Path dir = options.out_dir, work = dir / "work";
  files.make_directories(dir);
  const base::DirectoryLock lock(dir);
  files.remove_all(work);
  const double started = base::monotonic_seconds();
  Json list = Json::array();
  bool failed = false;
  for (const Check& check : all) {
    base::throw_if_interrupted();
    Context context{files, options, work / check.name};
    context.compute = compute;
    context.group = group.get();
    files.make_directories(context.work);
    const double begun = base::monotonic_seconds();
    const Finding finding = isolated(check, context);
    Json entry{{"name", check.name}, {"status", finding.status}, {"seconds", base::monotonic_seconds() - begun}, {"detail", finding.detail}};
    if (finding.status == "fail") entry["error"] = finding.detail;
    entry.update(finding.extras);
    failed = failed || finding.status == "fail";
    base::say(cat(base::padded(finding.status, 4), "  ", base::padded(check.name, 26), "  ", finding.detail));
    list.push_back(std::move(entry));
    files.remove_all(context.work);
  }
  files.remove_all(work);
  if (group) {
    group->order("null");
    group->leave(kLeaveSeconds);
  }
  const Json report{{"suite", "pre-h100"}, {"status", failed ? "failed" : options.only.empty() ? "passed" : "partial"}, {"device", compute.device}, {"device_name", compute.name}, {"precision", compute.precision}, {"out_dir", dir.string()}, {"checks", list},
                    {"host", host_identity()}, {"build", base::build_info_json()}, {"timing", {{"seconds", base::monotonic_seconds() - started}, {"at", base::utc_timestamp()}}}};
  base::write_file(files, dir / "preh100_sanity.md", markdown(report));
  base::write_file(files, dir / "preh100_sanity.json", base::dump(report) + "\n");
  std::string text = cat("sanity: ", report.at("status").get<std::string>(), "\njson_report: ", (dir / "preh100_sanity.json").string(), "\nmarkdown_report: ", (dir / "preh100_sanity.md").string(), "\n");
  for (const Json& check : list) text += cat(check.at("name").get<std::string>(), ": ", check.at("status").get<std::string>(), "\n");
  return {report, text};
}

}  // namespace picochat::factory
