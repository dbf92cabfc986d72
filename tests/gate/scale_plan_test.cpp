// Shapes that suit the hardware, and a plan that preflight agrees with.
#include "picochat/gate/scale_plan.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "gate/good_facts.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/presets.hpp"

namespace picochat::gate {
namespace {

using base::Json;
using ::testing::HasSubstr;

ScalePlanOptions plan_for(const std::string& params) {
  ScalePlanOptions o;
  o.target_params = params;
  return o;
}

TEST(ScalePlan, ShapesSuitTheHardwareAndMeetTheTarget) {
  for (const char* params : {"15m", "50m", "107m", "350m", "1.1b", "3b", "7b"})
    for (const int64_t vocab : {8192, 32768}) {
      auto o = plan_for(params);
      o.vocab_size = vocab;
      if (parse_count(params, "x") < 30'000'000 && vocab > 8192) continue;  // the vocabulary alone would be a third of it
      const auto shapes = scale_shapes(o);
      ASSERT_FALSE(shapes.empty()) << params;
      for (const auto& shape : shapes) {
        const ModelConfig& c = shape.config;
        EXPECT_EQ(c.n_embd % 128, 0);
        EXPECT_TRUE(c.head_dim() == 64 || c.head_dim() == 128) << c.head_dim();
        EXPECT_EQ(c.n_head % c.n_kv_head, 0);
        EXPECT_LE(c.n_head / c.n_kv_head, 8);
        EXPECT_EQ(c.ffn_dim() % 64, 0);
        EXPECT_NO_THROW(c.validate("plan"));
        EXPECT_NEAR(shape.miss, static_cast<double>(c.parameter_count()) / static_cast<double>(parse_count(params, "x")) - 1, 1e-12);
      }
      EXPECT_LT(std::abs(shapes.front().miss), 0.08) << params << " " << vocab;
    }
}

TEST(ScalePlan, TheDocumentedSizesGiveTheShapesOfThePresets) {
  const ModelConfig small = scale_shapes(plan_for("107m")).front().config;
  EXPECT_EQ(small.n_layer, 16);
  EXPECT_EQ(small.n_embd, 768);
  EXPECT_EQ(small.n_head, 12);
  EXPECT_EQ(small.n_kv_head, 4);
  auto o = plan_for("1.12b");
  o.vocab_size = 32768;
  o.context_size = 2048;
  o.depth = 24;
  const ModelConfig large = scale_shapes(o).front().config;
  EXPECT_EQ(large.n_embd, 2048);
  EXPECT_EQ(large.n_head, 16);
  EXPECT_EQ(large.n_kv_head, 4);
}

TEST(ScalePlan, KeyValueHeadsAreSensible) {
  for (const auto& [heads, expected] : {std::pair{1, 1}, {2, 2}, {4, 2}, {6, 2}, {8, 2}, {12, 4}, {16, 4}, {24, 6}, {32, 8}, {48, 12}}) EXPECT_EQ(sensible_kv_heads(heads), expected) << heads;
}

TEST(ScalePlan, LearningRatesFollowThePresets) {
  EXPECT_NEAR(preset_learning_rate(15.5e6), 4e-4, 1e-5);
  EXPECT_NEAR(preset_learning_rate(107e6), 2e-4, 2e-5);
  EXPECT_NEAR(preset_learning_rate(1.12e9), 1e-4, 1e-6);
}

// The plan is a preset: preflight finds nothing wrong with it on a sufficient pack, and its commands parse.
TEST(ScalePlan, PreflightAgreesWithThePlan) {
  for (const auto& [params, world, gpu] : {std::tuple{"50m", 1, "h100"}, {"107m", 8, "h100"}, {"1.1b", 8, "h200"}}) {
    auto o = plan_for(params);
    o.world_size = world;
    o.gpu = gpu;
    if (std::string(params) == "1.1b") o.vocab_size = 32768, o.context_size = 2048;
    const auto out = scale_plan(base::real_file_system(), o);
    EXPECT_EQ(out.json.at("status"), "ready") << out.text;
    const Preset preset = parse_preset(base::dump(out.json.at("preset")), "plan");
    Json flags = preset.values;
    flags["out_dir"] = "runs/x";
    flags["device"] = "cuda";
    const auto run = resolve_run_options(flags);
    EXPECT_EQ(run.options.base_batch_size * run.options.base_grad_accum_steps * world, 128 * world);
    auto facts = good_facts(run, "cuda");
    facts.device->memory_bytes = static_cast<int64_t>(out.json.at("memory").at("device_gib").get<double>() * (1 << 30));
    facts.intent = PresetIntent{.base_effective_batch = 128 * world, .sft_effective_batch = run.options.sft_batch_size * run.options.sft_grad_accum_steps * world,
                                .world_size = world, .base_learning_rate = run.options.base_learning_rate, .sft_learning_rate = run.options.sft_learning_rate};
    const Preflight p = judge_preflight(facts, run.options);
    EXPECT_EQ(p.status, "ready") << preflight_table(p);
    EXPECT_THAT(out.text, HasSubstr("picochat run tiny --dataset-pack"));
    EXPECT_THAT(out.json.at("commands").at(1).get<std::string>(), HasSubstr(world > 1 ? "picochat launch --nproc-per-node 8 -- run tiny" : "picochat run tiny"));
  }
}

TEST(ScalePlan, SaysWhatDoesNotFit) {
  auto o = plan_for("1.1b");
  o.vocab_size = 32768;
  o.context_size = 2048;
  o.per_device_batch_size = 32;
  o.gpu = "h100";
  auto out = scale_plan(base::real_file_system(), o);
  EXPECT_TRUE(out.json.at("memory").at("fits").get<bool>()) << out.text;
  EXPECT_THAT(out.text, HasSubstr("gradient checkpointing"));
  o.target_params = "30b";
  out = scale_plan(base::real_file_system(), o);
  EXPECT_EQ(out.json.at("status"), "does_not_fit");
  EXPECT_THAT(out.text, HasSubstr("does not fit"));
  o = plan_for("107m");
  o.dataset_tokens = "100m";
  EXPECT_EQ(scale_plan(base::real_file_system(), o).json.at("status"), "corpus_too_small");
  o.dataset_tokens = "2.5b";
  EXPECT_EQ(scale_plan(base::real_file_system(), o).json.at("status"), "ready");
  o.gpu_hourly_usd = 2;
  out = scale_plan(base::real_file_system(), o);
  EXPECT_NEAR(out.json.at("time").at("usd").get<double>(), out.json.at("time").at("seconds").get<double>() / 1800, 1e-6);
}

TEST(ScalePlan, RefusesWhatItCannotPlan) {
  for (const char* bad : {"", "many", "1.2.3m", "-5m", "0", "m"}) EXPECT_THROW(scale_plan(base::real_file_system(), plan_for(bad)), base::Error) << bad;
  EXPECT_THROW(scale_plan(base::real_file_system(), plan_for("10k")), base::Error);
  auto o = plan_for("107m");
  o.head_dim = 96;
  EXPECT_THROW(scale_plan(base::real_file_system(), o), base::Error);
  EXPECT_EQ(parse_count("1.5b", "x"), 1'500'000'000);
  EXPECT_EQ(parse_count("125_000_000", "x"), 125'000'000);
}

}  // namespace
}  // namespace picochat::gate
