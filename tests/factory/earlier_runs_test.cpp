// What earlier runs on this host say about a plan.
#include "factory/earlier_runs.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "factory/preflight_facts.hpp"
#include "picochat/factory/sanity.hpp"
#include "picochat/base/text.hpp"
#include "picochat/gate/presets.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::factory {
namespace {

gate::ResolvedRunOptions plan(Json flags = Json::object()) {
  flags["out_dir"] = "x";
  flags["scale"] = "tiny-cpu";
  return gate::resolve_run_options(flags);
}

// A run of `resolved` with 20 steps that get faster: the later half runs at 2,000 tokens a second.
void write_run(const Path& folder, const gate::ResolvedRunOptions& resolved, const std::string& host, const std::string& device, int steps = 20) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "run.json") << Json{{"options", gate::provenance_json(resolved)}, {"timing", {{"host", host}, {"device", device}}}}.dump();
  std::ofstream metrics(folder / "metrics.jsonl");
  metrics << Json{{"event", "metrics"}, {"version", 1}}.dump() << "\n";
  for (int i = 1; i <= steps; ++i)
    metrics << Json{{"event", "step"}, {"stage", "base"}, {"step", i}, {"timing", {{"tokens_per_sec", i <= steps / 2 ? 10.0 : 2000.0}}}}.dump() << "\n";
}

TEST(EarlierRuns, TheSameShapeOnThisHostGivesTheSpeed) {
  test::TemporaryFolder folder;
  const auto run = plan();
  const Path mine = folder.path() / "mine";
  EXPECT_FALSE(speed_of_earlier_runs(run.options, mine, "cpu"));
  write_run(folder.path() / "dryrun", plan({{"base_steps", 100}, {"sft_steps", 1}}), host_identity(), "cpu");
  const auto speed = speed_of_earlier_runs(run.options, mine, "cpu");
  ASSERT_TRUE(speed);
  EXPECT_EQ(speed->tokens_per_second, 2000);
  EXPECT_EQ(speed->source, "dry_run");
  EXPECT_EQ(speed->where, "dryrun");
}

TEST(EarlierRuns, OtherHostsShapesDevicesAndShortRunsSayNothing) {
  test::TemporaryFolder folder;
  const auto run = plan();
  const Path mine = folder.path() / "mine";
  write_run(folder.path() / "a", plan(), "another host", "cpu");
  write_run(folder.path() / "b", plan({{"base_batch_size", 16}}), host_identity(), "cpu");
  write_run(folder.path() / "c", plan(), host_identity(), "cuda");
  write_run(folder.path() / "d", plan(), host_identity(), "cpu", 7);
  write_run(folder.path() / "e", plan(), host_identity(), "cpu");
  std::ofstream(folder.path() / "e/metrics.jsonl") << "not json";
  std::filesystem::create_directories(folder.path() / "f");
  std::ofstream(folder.path() / "f/metrics.jsonl") << "";
  EXPECT_FALSE(speed_of_earlier_runs(run.options, mine, "cpu"));
}

TEST(EarlierRuns, TheNewestSanityReportIsFound) {
  test::TemporaryFolder folder;
  auto options = plan().options;
  EXPECT_FALSE(find_sanity_report(options, folder.path() / "mine"));
  for (const char* name : {"old", "new"}) {
    std::filesystem::create_directories(folder.path() / name);
    std::ofstream(folder.path() / name / "preh100_sanity.json") << "{}";
  }
  std::filesystem::last_write_time(folder.path() / "old/preh100_sanity.json", std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  EXPECT_EQ(find_sanity_report(options, folder.path() / "mine"), std::filesystem::absolute(folder.path() / "new/preh100_sanity.json").lexically_normal());
  options.sanity_report = "given.json";
  EXPECT_EQ(find_sanity_report(options, folder.path() / "mine"), Path("given.json"));
}

// The report that sanity itself writes is what preflight reads.
TEST(EarlierRuns, SanitysReportSaysWhetherTheHostIsSoundAndHowFastThePresetTrains) {
  test::TemporaryFolder folder;
  SanityOptions sanity;
  sanity.out_dir = (folder / "sanity").string();
  sanity.device = "cpu";
  sanity.capacity_scale = "tiny-cpu";
  const Json report = run_sanity(base::real_file_system(), sanity).json;
  const Path mine = folder.path() / "mine";
  const auto planned = gate::resolve_run_options({{"out_dir", "x"}, {"scale", "tiny-cpu"}}).options;
  ASSERT_TRUE(find_sanity_report(planned, mine));
  const auto facts = sanity_of(*find_sanity_report(planned, mine));
  EXPECT_EQ(facts.status, "passed");
  EXPECT_EQ(facts.device, "cpu");
  EXPECT_EQ(facts.this_host, true);
  EXPECT_EQ(facts.digest, base::sha256_file(folder / "sanity/preh100_sanity.json").hex());
  const auto speed = speed_of_sanity(planned, mine, "cpu");
  ASSERT_TRUE(speed);
  EXPECT_EQ(speed->source, "sanity");
  EXPECT_GT(speed->tokens_per_second, 0);
  EXPECT_EQ(device_facts(planned, folder.path() / "mine", gate::estimated_vocab_size(planned)).throughput_source, "sanity sanity");
  EXPECT_FALSE(speed_of_sanity(planned, mine, "cuda"));
  EXPECT_FALSE(speed_of_sanity(gate::resolve_run_options({{"out_dir", "x"}, {"scale", "tiny-cpu"}, {"n_layer", 7}}).options, mine, "cpu")) << "another shape";

  Json other = report;
  other["host"] = "another host";
  for (auto& check : other["checks"])
    if (check.at("name") == "hf_export") check["status"] = "fail";
  other["status"] = "failed";
  base::write_file(base::real_file_system(), folder / "sanity/preh100_sanity.json", base::dump(other));
  EXPECT_FALSE(speed_of_sanity(planned, mine, "cpu"));
  EXPECT_EQ(sanity_of(folder / "sanity/preh100_sanity.json").this_host, false);
  EXPECT_EQ(sanity_of(folder / "sanity/preh100_sanity.json").failed_checks, std::vector<std::string>{"hf_export"});
}

// The estimate that needs no LibTorch is an upper one, and not a wild one.
TEST(MemoryPlan, TheShapesEstimateCoversThePlanOfTheModel) {
  for (const auto& preset : gate::load_presets()) {
    const auto run = gate::resolve_run_options({{"out_dir", "x"}, {"scale", preset.name}});
    const std::string device = run.options.precision == "bf16" ? "cuda" : "cpu";
    const auto config = gate::model_config(run.options, gate::estimated_vocab_size(run.options));
    const auto planned = planned_peak_bytes(run.options, config, device);
    const double estimate = static_cast<double>(gate::estimate_memory(run.options, config, device).total());
    const double process = device == "cuda" ? 1.5 * (1 << 30) : 400.0 * (1 << 20);
    EXPECT_GT(estimate, 0.9 * (static_cast<double>(planned) - process)) << preset.name << " " << base::human_bytes(static_cast<uint64_t>(planned));
    EXPECT_LT(estimate, 1.6 * static_cast<double>(planned)) << preset.name;
  }
}

}  // namespace
}  // namespace picochat::factory
