// Every check of `sanity preh100` passes on a sound host, and fails on a fault that is put in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include <limits>

#include "factory/sanity/check.hpp"
#include "factory/sanity/gpu.hpp"
#include "picochat/base/error.hpp"
#include "picochat/factory/sanity.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::factory::sanity {
namespace {

using ::testing::HasSubstr;

class Sanity : public ::testing::Test {
 protected:
  Sanity() { std::filesystem::create_directories(context.work); }
  // A check may throw: the runner calls that failed.
  template <typename Check>
  std::string status(Check check) {
    std::filesystem::remove_all(context.work);
    std::filesystem::create_directories(context.work);
    try {
      return check().status;
    } catch (const base::Error&) {
      return "fail";
    }
  }
  void put_in_a_fault() {
    context.fault = [](const at::Tensor& parameters) { parameters.narrow(0, 100, 400).mul_(1.5).add_(0.01); };
  }

  test::TemporaryFolder folder;
  SanityOptions options;
  Context context{base::real_file_system(), options, folder.path() / "work"};
};

TEST_F(Sanity, ComparisonsNoticeOtherWeightsOnOneSide) {
  for (auto* check : {attention_backend, kv_cache_equivalence, kernels_against_reference}) EXPECT_EQ(status([&] { return check(context); }), "pass");
  put_in_a_fault();
  for (auto* check : {attention_backend, kv_cache_equivalence, kernels_against_reference}) EXPECT_EQ(status([&] { return check(context); }), "fail");
}

// The path of a GPU, its kernels run serially on the CPU.
TEST_F(Sanity, TheKernelsOfADevicePassTheSameChecks) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    context.compute.options = {.dtype = dtype, .device_kernels = true};
    context.fault = [](const at::Tensor&) {};
    for (auto* check : {attention_backend, modern_init_loss, precision_backward, kv_cache_equivalence, kernels_against_reference}) {
      const Finding found = check(context);
      EXPECT_EQ(found.status, "pass") << found.detail;
    }
    put_in_a_fault();
    for (auto* check : {attention_backend, kv_cache_equivalence, kernels_against_reference}) EXPECT_EQ(status([&] { return check(context); }), "fail");
  }
}

TEST_F(Sanity, TorchCompileIsRunWhenItIsAskedFor) {
  EXPECT_EQ(status([&] { return compiled_step(context); }), "skip");
  options.include_compile = true;
  EXPECT_EQ(status([&] { return compiled_step(context); }), "pass");
  put_in_a_fault();
  EXPECT_EQ(status([&] { return compiled_step(context); }), "fail");
}

TEST_F(Sanity, AModelThatDoesNotStartAsItShouldIsNoticed) {
  EXPECT_EQ(status([&] { return modern_init_loss(context); }), "pass");
  context.fault = [](const at::Tensor& parameters) { parameters.mul_(4); };
  EXPECT_EQ(status([&] { return modern_init_loss(context); }), "fail");
}

TEST_F(Sanity, AStepThatIsNotFiniteIsNoticed) {
  EXPECT_EQ(status([&] { return precision_backward(context); }), "pass");
  context.fault = [](const at::Tensor& parameters) { parameters.narrow(0, 0, 64).fill_(std::numeric_limits<float>::quiet_NaN()); };
  EXPECT_EQ(status([&] { return precision_backward(context); }), "fail");
}

TEST_F(Sanity, AResumeOfSomethingElseMustBeRefused) {
  EXPECT_EQ(status([&] { return resume_fingerprint_guard(context); }), "pass");
  EXPECT_EQ(status([&] { return resume_fingerprint_guard(context, {.first = "same", .second = "same"}); }), "fail");
}

TEST_F(Sanity, AResumeMustGoOnWithTheSameLosses) {
  EXPECT_EQ(status([&] { return resume_loss_determinism(context); }), "pass");
  EXPECT_EQ(status([&] { return resume_loss_determinism(context, {.resumed_seed = 5}); }), "fail");
}

TEST_F(Sanity, AFlippedBitInAShardIsNoticed) {
  EXPECT_EQ(status([&] { return sharded_loader(context); }), "pass");
  EXPECT_EQ(status([&] { return sharded_loader(context, {.flip_a_bit = true}); }), "fail");
}

TEST_F(Sanity, RanksThatShareWindowsAreNoticed) {
  EXPECT_EQ(status([&] { return ddp_batcher_rank_split(context); }), "pass");
  EXPECT_EQ(status([&] { return ddp_batcher_rank_split(context, {.tokens = 40}); }), "fail") << "too little text for a step";
}

TEST_F(Sanity, AnExportOfABrokenModelFails) {
  EXPECT_EQ(status([&] { return hf_export(context); }), "pass");
  context.fault = [](const at::Tensor& parameters) { parameters.fill_(std::numeric_limits<float>::quiet_NaN()); };
  EXPECT_EQ(status([&] { return hf_export(context); }), "fail");
}

TEST_F(Sanity, AHostBelowTheLimitsIsNoticed) {
  const HostLimits none{}, high{.least_gflops = 1e9, .least_disk_mb_per_second = 1e9, .least_disk_bytes = int64_t{1} << 60, .largest_clock_error = -1, .libtorch = "1.0"};
  for (auto* check : {gemm_peak, disk_speed, disk_space, clock_steady, library_versions}) {
    EXPECT_EQ(status([&] { return check(context, none); }), "pass");
    EXPECT_EQ(status([&] { return check(context, high); }), "fail");
  }
}

// A GPU as it should be, and each way in which it may not be.
TEST_F(Sanity, AGpuThatIsNotAsItShouldBeIsNoticed) {
  const GpuReadings good{.name = "NVIDIA H100 80GB HBM3", .driver = "580.65.06", .sm_clock_mhz = 1755, .sm_clock_max_mhz = 1980, .power_limit_watts = 700, .power_default_watts = 700, .temperature_celsius = 61,
                         .ecc_enabled = true, .uncorrected_errors = 0, .throttle_reasons = 0x4};
  auto judged = [](const GpuReadings& gpu) {
    return std::vector<std::string>{judge_driver(gpu, 13).status, judge_clock(gpu).status, judge_power_cap(gpu).status, judge_ecc(gpu).status, judge_throttle(gpu).status};
  };
  auto failing = [&](auto change) {
    GpuReadings gpu = good;
    change(gpu);
    std::vector<size_t> failed;
    const auto statuses = judged(gpu);
    for (size_t i = 0; i < statuses.size(); ++i)
      if (statuses[i] == "fail") failed.push_back(i);
    return failed;
  };
  EXPECT_TRUE(failing([](GpuReadings&) {}).empty());
  EXPECT_EQ(failing([](GpuReadings& g) { g.driver = "570.124.06"; }), std::vector<size_t>{0});
  EXPECT_THAT(judge_driver({.name = "gpu", .driver = "570.124.06"}, 13).detail, HasSubstr("cuda-compat"));
  EXPECT_EQ(judge_driver({.name = "gpu", .driver = "570.124.06"}, 12).status, "pass");
  EXPECT_EQ(failing([](GpuReadings& g) { g.driver.clear(); }), std::vector<size_t>{0});
  EXPECT_EQ(failing([](GpuReadings& g) { g.sm_clock_mhz = 345; }), std::vector<size_t>{1});
  EXPECT_EQ(failing([](GpuReadings& g) { g.power_limit_watts = 450; }), std::vector<size_t>{2});
  EXPECT_EQ(failing([](GpuReadings& g) { g.ecc_enabled = false; }), std::vector<size_t>{3});
  EXPECT_EQ(failing([](GpuReadings& g) { g.uncorrected_errors = 2; }), std::vector<size_t>{3});
  EXPECT_EQ(failing([](GpuReadings& g) { g.throttle_reasons = 0x40; }), std::vector<size_t>{4});
  EXPECT_THAT(judged({.name = "gpu", .driver = "590.1"}), ::testing::ElementsAre("pass", "fail", "fail", "fail", "fail")) << "what is not told is not passed";
  EXPECT_THROW(read_gpu(0, "libno-such-driver.so.1"), base::Error);
}

TEST_F(Sanity, ASlowWayToTheDeviceIsNoticed) {
  EXPECT_EQ(host_to_device_bandwidth(context, {.device = "cpu", .least_gb_per_second = 0.01}).status, "pass");
  EXPECT_EQ(host_to_device_bandwidth(context, {.device = "cpu", .least_gb_per_second = 1e6}).status, "fail");
}

TEST_F(Sanity, ASumThatMissesARankIsNoticed) {
  auto sum_of = [](std::vector<int64_t> others) {
    return [others](std::vector<float>& values) {
      for (int64_t rank : others)
        for (size_t i = 0; i < values.size(); ++i) values[i] += static_cast<float>(rank + 1) * static_cast<float>(i % 64);
    };
  };
  EXPECT_EQ(collective(context).status, "skip");
  EXPECT_EQ(collective(context, {.rank = 1, .world = 4, .all_reduce = sum_of({0, 2, 3})}).status, "pass");
  EXPECT_EQ(collective(context, {.rank = 1, .world = 4, .all_reduce = sum_of({0, 3})}).status, "fail");
}

TEST_F(Sanity, CapacityTakesRealStepsAndProjectsThePreset) {
  EXPECT_EQ(status([&] { return scale_capacity(context); }), "skip");
  options.capacity_scale = "tiny-cpu";
  options.gpu_hourly_usd = 2;
  const Finding found = scale_capacity(context);
  EXPECT_EQ(found.status, "pass") << found.detail;
  EXPECT_GT(found.extras.at("tokens_per_sec"), 0.0);
  EXPECT_NEAR(found.extras.at("projected_usd").get<double>(), 2 * found.extras.at("projected_hours").get<double>(), 1e-9);
  options.capacity_min_free_fraction = 1;
  EXPECT_EQ(scale_capacity(context).status, "fail");
  options.capacity_min_free_fraction = 0.1;
  context.fault = [](const at::Tensor& parameters) { parameters.fill_(std::numeric_limits<float>::quiet_NaN()); };
  EXPECT_EQ(scale_capacity(context).status, "fail");
  options.capacity_scale = "h200-1b-ddp8";
  options.capacity_batch_size = 4096;
  EXPECT_EQ(scale_capacity(context).status, "skip") << "what this host cannot hold is not a fault of it";
}

// The whole suite as the runbook starts it, on the CPU.
TEST_F(Sanity, TheSuitePassesHereAndLeavesItsReports) {
  options.out_dir = (folder / "out").string();
  options.device = "cpu";
  options.precision = "bf16";
  options.matmul_precision = "high";
  options.attn_backend = "flash";
  options.include_compile = true;
  options.capacity_scale = "tiny-cpu";
  const auto out = run_sanity(base::real_file_system(), options);
  EXPECT_EQ(out.json.at("status"), "passed") << out.text;
  std::vector<std::string> skipped;
  for (const auto& check : out.json.at("checks"))
    if (check.at("status") == "skip") skipped.push_back(check.at("name"));
  EXPECT_THAT(skipped, ::testing::ElementsAre("driver", "host_to_device_bandwidth", "gpu_clock", "gpu_power_cap", "gpu_ecc", "gpu_throttle", "collective"));
  EXPECT_LT(out.json.at("timing").at("seconds"), 60.0);
  EXPECT_EQ(base::read_json(folder / "out/preh100_sanity.json"), out.json);
  EXPECT_THAT(base::read_file(folder / "out/preh100_sanity.md"), HasSubstr("| scale_capacity | pass |"));
  EXPECT_FALSE(std::filesystem::exists(folder / "out/work"));
  options.only = {"clock"};
  const auto partial = run_sanity(base::real_file_system(), options);
  EXPECT_EQ(partial.json.at("status"), "partial");
  for (const auto& check : partial.json.at("checks")) EXPECT_EQ(check.at("status"), check.at("name") == "clock" ? "pass" : "skip");
  options.only = {"clocks"};
  EXPECT_THROW(run_sanity(base::real_file_system(), options), base::Error) << "no such check";
  options.only.clear();
  options.device = "cuda";
  EXPECT_THROW(run_sanity(base::real_file_system(), options), base::Error);
  options.device = "cpu";
  options.capacity_scale = "h100-100";
  EXPECT_THROW(run_sanity(base::real_file_system(), options), base::Error) << "no such preset";
}

}  // namespace
}  // namespace picochat::factory::sanity
