// --base-batch-size auto and what a device is asked for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "factory/micro_batch.hpp"
#include "picochat/base/error.hpp"
#include "picochat/gate/budget.hpp"

namespace picochat::factory {
namespace {

gate::RunOptions preset(base::Json flags) {
  flags["out_dir"] = "unused";
  return gate::resolve_run_options(flags).options;
}

TEST(MicroBatch, TheLargestThatFitsDividesTheStep) {
  const auto options = preset({{"scale", "h100-100m"}});
  const auto config = gate::model_config(options, gate::estimated_vocab_size(options));
  const model::TransformerOptions bf16{.dtype = at::kBFloat16};
  const int64_t sequences = options.base_batch_size * options.base_grad_accum_steps;
  ASSERT_EQ(sequences, 128);
  int64_t last = 0;
  for (const int64_t gigabytes : {2, 4, 8, 16, 32, 72}) {
    const int64_t memory = gigabytes << 30, rows = largest_micro_batch(options, config, sequences, memory, bf16);
    EXPECT_GE(rows, last);
    last = rows;
    if (rows == 0) continue;
    EXPECT_EQ(sequences % rows, 0);
    EXPECT_LE(training_bytes(options, config, rows, bf16), memory);
    if (rows < sequences) {
      EXPECT_GT(training_bytes(options, config, 2 * rows, bf16), memory);
    }
  }
  EXPECT_EQ(largest_micro_batch(options, config, sequences, int64_t{1} << 30, bf16), 0) << "the weights alone do not fit";
  EXPECT_GE(last, 32) << "an H100 holds more than the preset's 8";
  const model::TransformerOptions recomputed{.dtype = at::kBFloat16, .recompute = true};
  EXPECT_GT(largest_micro_batch(options, config, sequences, int64_t{4} << 30, recomputed), largest_micro_batch(options, config, sequences, int64_t{4} << 30, bf16));
}

TEST(MicroBatch, AutoIsTakenAsAWordAndLeavesThePresetOnTheCpu) {
  auto options = preset({{"scale", "h100-100m"}, {"base_batch_size", "auto"}});
  EXPECT_TRUE(options.base_batch_auto);
  EXPECT_EQ(options.base_batch_size, 8);
  settle_micro_batch(options, {});
  EXPECT_EQ(options.base_batch_size, 8);
  EXPECT_THROW(preset({{"base_batch_size", "automatic"}}), base::Error);
  EXPECT_THROW(preset({{"sft_batch_size", "auto"}}), base::Error);
}

TEST(Compute, DatasheetsAreFoundByTheDevicesName) {
  EXPECT_EQ(gate::peak_flops("NVIDIA H100 80GB HBM3"), 989e12);
  EXPECT_EQ(gate::peak_flops("NVIDIA H200"), 989e12);
  EXPECT_EQ(gate::peak_flops("NVIDIA H100 PCIe"), 756e12);
  EXPECT_EQ(gate::peak_flops("NVIDIA A100-SXM4-80GB", "float32", true), 156e12);
  EXPECT_EQ(gate::peak_flops("some other GPU"), std::nullopt) << "MFU is then not told";
}

TEST(Compute, TheCpuIsPlainAndAMissingGpuIsAnErrorOfTheEnvironment) {
  const Compute cpu = model::resolve_compute({.device = "cpu", .precision = "bf16"});
  EXPECT_EQ(cpu.device, "cpu");
  EXPECT_EQ(cpu.options.dtype, at::kFloat);
  base::Json key = base::Json::object();
  name_compute(key, cpu);
  EXPECT_TRUE(key.empty()) << "keys of runs on the CPU stay what they were";
  if (model::resolve_device("auto") == "cuda") return;  // the rest is about hosts without one
  try {
    model::resolve_compute({.device = "cuda"});
    FAIL() << "there is no GPU";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kEnvironment);
    EXPECT_FALSE(error.details().found.empty()) << "it says why";
  }
}

}  // namespace
}  // namespace picochat::factory
