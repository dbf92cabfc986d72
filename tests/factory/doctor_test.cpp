// What `doctor` says of hosts that have and lack things.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/factory/doctor.hpp"

namespace picochat::factory {
namespace {

HostReadings good() {
  return {.cuda_built = true, .driver = "580.65.06", .gpus = {"NVIDIA H100 80GB HBM3"}, .gpu_memory = int64_t{80} << 30, .memory = int64_t{64} << 30, .disk_free = int64_t{500} << 30,
          .shared_memory = int64_t{8} << 30, .libtorch = "2.11.0+cu130", .libtorch_folder = "/somewhere", .instruction_level = "x86-64-v4", .cores = 16, .arrow = true, .writable = true};
}

std::string status(const HostReadings& readings, const std::string& name) {
  for (const auto& fact : judge_host(readings)) {
    if (fact.name != name) continue;
    EXPECT_EQ(fact.status == "ok", fact.remedy.empty()) << name << ": what is not ok has a remedy";
    return fact.status;
  }
  return "absent";
}

TEST(Doctor, AGoodHostIsWellAndTheDriverComesFirst) {
  const auto facts = judge_host(good());
  EXPECT_EQ(facts.front().name, "driver");
  for (const auto& fact : facts) EXPECT_EQ(fact.status, "ok") << fact.name << ": " << fact.found;
}

TEST(Doctor, EachLackIsNamed) {
  const auto with = [](auto change) {
    HostReadings readings = good();
    change(readings);
    return readings;
  };
  EXPECT_EQ(status(with([](auto& r) { r.driver = "570.12"; }), "driver"), "note");
  EXPECT_EQ(status(with([](auto& r) { r.driver = "570.12", r.cuda_wanted = true; }), "driver"), "bad");
  EXPECT_EQ(status(with([](auto& r) { r.driver.reset(); }), "driver"), "note");
  EXPECT_EQ(status(with([](auto& r) { r.cuda_built = false; }), "GPU"), "note");
  EXPECT_EQ(status(with([](auto& r) { r.why_no_cuda = "no NVIDIA GPU is visible", r.cuda_wanted = true; }), "GPU"), "bad");
  EXPECT_EQ(status(with([](auto& r) { r.libtorch = "2.10.0"; }), "LibTorch"), "bad");
  EXPECT_EQ(status(with([](auto& r) { r.libtorch.clear(); }), "LibTorch"), "note");
  EXPECT_EQ(status(with([](auto& r) { r.instruction_level = "x86-64"; }), "processor"), "note");
  EXPECT_EQ(status(with([](auto& r) { r.memory = 1 << 20; }), "memory"), "bad");
  EXPECT_EQ(status(with([](auto& r) { r.disk_free = 1 << 20; }), "disk"), "bad");
  EXPECT_EQ(status(with([](auto& r) { r.disk_free.reset(); }), "disk"), "bad");
  EXPECT_EQ(status(with([](auto& r) { r.writable = false; }), "folder"), "bad");
  EXPECT_EQ(status(with([](auto& r) { r.shared_memory = 64 << 20; }), "/dev/shm"), "note");
  EXPECT_EQ(status(with([](auto& r) { r.arrow = false; }), "Parquet"), "note");
}

TEST(Doctor, ThisHostCanRunItsOwnTests) {
  const auto output = run_doctor({});
  EXPECT_EQ(output.json.at("status"), "well") << output.text;
  EXPECT_THAT(output.text, testing::HasSubstr("LibTorch"));
}

}  // namespace
}  // namespace picochat::factory
