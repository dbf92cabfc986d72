#include "picochat/gate/presets.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "gate/good_facts.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "support/project.hpp"

namespace picochat::gate {
namespace {

using base::Json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

bool for_gpu(const RunOptions& options) { return options.precision == "bf16"; }

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& preset : load_presets()) out.push_back(preset.name);
  return out;
}

TEST(Presets, AllAreThereSmallestFirst) {
  EXPECT_THAT(names(), ElementsAre("smoke", "pico", "tiny-cpu", "mps-local", "small", "proof-cpu", "medium", "climbmix-pilot", "proof-gpu", "h100-pilot", "h100-100m",
                                   "h100-100m-ddp8", "h100-100m-stock", "h200-1b-ddp8", "h200-1b-ddp8-stock"));
  for (const auto& preset : load_presets()) {
    EXPECT_FALSE(preset.label.empty() || preset.description.empty()) << preset.name;
    EXPECT_EQ(preset.origin, "built in");
  }
}

TEST(Presets, EmbeddedOnesAreTheFiles) {
  for (const auto& preset : load_presets()) {
    const std::string path = base::cat(kSourceDir, "/presets/", preset.name, ".json");
    EXPECT_EQ(parse_preset(base::read_file(path), path).values, preset.values) << path;
  }
}

TEST(Presets, ParameterCounts) {
  const std::map<std::string, int64_t> expected{{"smoke", 50'144}, {"proof-cpu", 1'165'312}, {"h100-pilot", 15'536'256}, {"proof-gpu", 15'536'256}, {"h100-100m", 106'969'856},
                                                {"h100-100m-ddp8", 106'969'856}, {"small", 1'122'048}, {"medium", 3'455'552},
                                                {"climbmix-pilot", 5'820'992}, {"mps-local", 1'055'360}, {"h200-1b-ddp8", 1'120'985'088},
                                                {"h100-100m-stock", 106'982'144}, {"h200-1b-ddp8-stock", 1'121'034'240}};
  for (const auto& [name, parameters] : expected)
    EXPECT_EQ(compute_budget(resolved(name).options, {}).estimated_parameters, parameters) << name;
  const int64_t tiny = compute_budget(resolved("tiny-cpu").options, {}).estimated_parameters;
  EXPECT_NEAR(static_cast<double>(tiny), 0.82e6, 0.01e6);
}

// The reason to correct presets: at their own settings and with enough data, none warns or blocks.
TEST(Presets, EachPassesItsOwnPreflight) {
  for (const auto& name : names()) {
    const auto run = resolved(name);
    PreflightFacts facts = good_facts(run, for_gpu(run.options) ? "cuda" : "cpu");
    if (name == "tiny-cpu") facts.chat->examples = 1600;
    if (name.starts_with("proof-")) facts.chat->examples = 12'000;  // as scripts/runbooks/proof.sh makes
    facts.training_starts = true;
    const Preflight p = judge_preflight(facts, run.options);
    EXPECT_EQ(p.status, "ready") << name << ": " << p.summary << "\n" << preflight_table(p);
    EXPECT_EQ(p.summary, "ready") << name;
  }
}

TEST(Presets, ReleasePresetsBlockOnAnInsufficientPack) {
  for (const char* name : {"h100-100m", "h100-100m-ddp8", "h200-1b-ddp8"}) {
    const auto run = resolved(name, {{"device", "cuda"}});
    PreflightFacts facts = good_facts(run, "cuda");
    facts.corpus->tokens = 20'000'000;
    const Preflight p = judge_preflight(facts, run.options);
    EXPECT_EQ(p.status, "blocked") << name;
    EXPECT_EQ(exit_code(p), base::ExitCode::kBlocked);
    EXPECT_TRUE(p.find("corpus_model_fit")->blocks) << name;
    EXPECT_TRUE(p.find("base_exposure")->blocks) << name;
  }
}

TEST(Presets, DryRunOfTheReleasePresetMayStartUnderResearch) {
  const Json flags{{"base_steps", 100}, {"sft_steps", 1}, {"device", "cuda"}, {"attn_backend", "flash"}};
  Json research = flags, release = flags;
  research["long_run_gate_profile"] = "research";
  auto run = resolved("h100-100m", research);
  auto facts = good_facts(resolved("h100-100m"), "cuda");
  EXPECT_EQ(judge_preflight(facts, run.options).status, "warn");
  run = resolved("h100-100m", release);
  const Preflight p = judge_preflight(facts, run.options);
  EXPECT_EQ(p.find("release_token_budget")->status, CheckStatus::kBlock);
  EXPECT_EQ(p.status, "blocked");
}

TEST(Presets, TinyCpuFitsItsFiveMinutes) {
  const auto run = resolved("tiny-cpu");
  const Budget budget = compute_budget(run.options, {});
  constexpr double kTokensPerSecond = 28'000;  // measured on two cores at this shape
  EXPECT_LT(static_cast<double>(budget.base_planned_tokens) / kTokensPerSecond, 125);
  EXPECT_LT(static_cast<double>(run.options.sft_steps * budget.sft_effective_batch_size * run.options.context_size) / kTokensPerSecond, 80);
}

TEST(Presets, TheProofIsJudgedAsAReleaseWithinItsTime) {
  // Tokens a second: two quiet cores at 0.82M parameters train 28,000; one H100 at this shape well over 1M.
  for (const auto& [name, tokens_per_second, minutes] : {std::tuple{"proof-cpu", 28'000 * 0.82 / 1.17, 120.0}, std::tuple{"proof-gpu", 1e6, 8.0}}) {
    const auto run = resolved(name);
    const Budget budget = compute_budget(run.options, {});
    EXPECT_EQ(run.options.long_run_gate_profile, "skill_release");
    EXPECT_GE(budget.planned_to_target_ratio, 1.0) << name;
    EXPECT_EQ(budget.target_param_data_ratio, 20);
    const auto sft = static_cast<double>(run.options.sft_steps * budget.sft_effective_batch_size * run.options.context_size);
    EXPECT_LT((static_cast<double>(budget.base_planned_tokens) + sft) / tokens_per_second / 60, minutes * 0.7) << name << ": the rest is for scoring";
  }
}

class PresetFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / base::cat("picochat-presets-", ::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  std::string refusal() {
    try {
      load_presets(folder_);
    } catch (const base::Error& error) {
      EXPECT_THAT(error.details().where, HasSubstr(folder_.string()));
      return error.what();
    }
    return "accepted";
  }
  base::Path folder_;
};

TEST_F(PresetFolder, OverridesAndExtends) {
  write("mine.json", R"({"name": "mine", "values": {"n_layer": 3}})");
  write("pico.json", R"({"name": "pico", "description": "another", "values": {"n_embd": 64}})");
  EXPECT_EQ(find_preset("mine", folder_).values.at("n_layer"), 3);
  EXPECT_EQ(find_preset("pico", folder_).description, "another");
  EXPECT_EQ(find_preset("smoke", folder_).origin, "built in");
  const auto run = resolve_run_options({{"out_dir", "x"}, {"scale", "mine"}, {"presets_dir", folder_.string()}});
  EXPECT_EQ(run.options.n_layer, 3);
  EXPECT_EQ(run.source.at("n_layer"), OptionSource::kPreset);
}

TEST_F(PresetFolder, NamesWhatIsWrong) {
  write("a.json", R"({"name": "a", "values": {"n_layers": 3}})");
  EXPECT_THAT(refusal(), HasSubstr("n_layer"));
  write("a.json", R"({"name": "a", "values": {"device": "cuda"}})");
  EXPECT_THAT(refusal(), HasSubstr("must not set device"));
  write("a.json", R"({"name": "a", "values": {"n_layer": "three"}})");
  EXPECT_THAT(refusal(), HasSubstr("--n-layer"));
  write("a.json", R"({"name": "a", "values": {"n_head": 5}})");
  EXPECT_THAT(refusal(), HasSubstr("n_embd"));
  write("a.json", R"({"name": "custom", "values": {}})");
  EXPECT_THAT(refusal(), HasSubstr("custom"));
  write("a.json", R"({"name": "a"})");
  EXPECT_THAT(refusal(), HasSubstr("values"));
  write("a.json", R"([1])");
  EXPECT_THAT(refusal(), HasSubstr("object"));
  EXPECT_THROW(load_presets(folder_ / "none"), base::Error);
  for (const char* values : {R"({"base_lr_decay": "cosin"})", R"({"no_such_option": 1})", R"({"n_layer": 0})"})  // the file is at fault, not the command line
    try {
      write("a.json", std::string(R"({"name": "a", "values": )") + values + "}");
      load_presets(folder_);
      ADD_FAILURE() << values;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kBadInput) << values;
    }
}

}  // namespace
}  // namespace picochat::gate
