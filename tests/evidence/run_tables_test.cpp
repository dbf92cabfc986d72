// Tables over runs: what may be called better, and what may not.
#include "picochat/evidence/run_tables.hpp"

#include <gmock/gmock.h>

#include <filesystem>

#include "evidence/finished_run.hpp"
#include "picochat/base/error.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::evidence {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Json rate(int rows, int passed) {
  const double r = static_cast<double>(passed) / rows;
  return {{"pass_rate", r}, {"pass_rate_ci", {{"low", r - 0.1}, {"high", r + 0.1}}}, {"num_passed", passed}, {"num_scored", rows}};
}

class RunTables : public ::testing::Test {
 protected:
  // A finished run with scores of its own and the bits per byte given.
  Path make(const std::string& name, int passed, double bpb, const std::string& eval_row = "{\"user\":\"x\"}\n") {
    FinishedRun run(folder_.path() / name);
    put(run.dir / "inputs/eval.jsonl", eval_row);
    for (const char* folder : {"sft_fit", "sft_fit_heldout", "eval"}) run.eval(folder, 100, passed);
    Json inputs = base::read_json(run.dir / "inputs/inputs.json");
    for (Json& file : inputs["files"]) file["sha256"] = base::sha256_file(run.dir / file["path"].get<std::string>()).hex();
    put(run.dir / "inputs/inputs.json", inputs);
    const auto verdict = judge_run(base::real_file_system(), run.dir, gate::GateProfile::kResearch);
    Json summary = base::read_json(run.dir / "summary.json");
    Json eval = rate(100, passed);
    eval["category_breakdown"] = {{"identity", rate(20, passed / 5)}};
    summary["eval"] = eval;
    summary["sft_fit"] = rate(100, passed);
    summary["base"] = {{"best_val_bpb", bpb}, {"best_val_bpb_stderr", 0.01}, {"num_parameters", 1000}, {"coverage", {{"actual_training_tokens", 20000}}}};
    summary["external_evals"] = Json::array({{{"name", "arc-easy"}, {"input_sha256", std::string(64, 'e')}, {"summary", rate(570, 3 * passed)}}});
    summary["long_run_gate"] = gate::to_json(verdict);
    put(run.dir / "summary.json", summary);
    return run.dir;
  }
  Json row(const Json& compared, const std::string& figure) {
    for (const Json& item : compared.at("figures"))
      if (item.at("figure") == figure) return item;
    return nullptr;
  }
  RunTableOptions of(std::initializer_list<Path> runs) {
    RunTableOptions options;
    for (const auto& run : runs) options.runs.push_back(run.string());
    return options;
  }

  test::TemporaryFolder folder_;
  base::FileSystem& files_ = base::real_file_system();
};

TEST_F(RunTables, CompareNamesTheBestAndSaysWhetherItIsClear) {
  const auto out = compare_runs(files_, of({make("low", 40, 1.50), make("high", 90, 1.49)}));
  EXPECT_EQ(row(out.json, "eval rows passed").at("best"), "high");
  EXPECT_EQ(row(out.json, "eval rows passed").at("note"), "clear of the next");
  EXPECT_EQ(row(out.json, "base: bits per byte").at("best"), "high") << "fewer bits are better";
  EXPECT_EQ(row(out.json, "base: bits per byte").at("note"), "intervals overlap");
  EXPECT_EQ(row(out.json, "parameters").at("best"), nullptr) << "a size is neither good nor bad";
  EXPECT_THAT(out.text, HasSubstr("1.5000 +- 0.0100"));
}

TEST_F(RunTables, RunsOnOtherRowsAreNotRanked) {
  const auto first = make("first", 40, 1.5), second = make("second", 90, 1.5, "{\"user\":\"easier\"}\n");
  EXPECT_THAT(row(compare_runs(files_, of({first, second})).json, "eval rows passed").at("note").get<std::string>(), HasSubstr("not comparable"));
  const auto board = leaderboard(files_, of({first, second}));
  EXPECT_THAT(board.text, HasSubstr("other rows"));
  EXPECT_EQ(board.json.at("entries")[0].at("suite"), "overall");
}

TEST_F(RunTables, LeaderboardOrdersEverySuiteAndExternalBenchmarks) {
  const auto out = leaderboard(files_, of({make("low", 40, 1.5), make("high", 90, 1.5)}));
  const Json& entries = out.json.at("entries");
  ASSERT_EQ(entries.size(), 6u);  // overall, external, identity
  EXPECT_EQ(entries[0].at("run"), "high");
  EXPECT_EQ(entries[0].at("place"), "1");
  EXPECT_EQ(entries[1].at("place"), "2");
  EXPECT_EQ(entries[2].at("suite"), "external:arc-easy");
  EXPECT_EQ(entries[2].at("score"), "270/570");
  EXPECT_EQ(out.json.at("best_run"), "high");
}

TEST_F(RunTables, ARunWhoseFilesWereEditedIsNeverTheBest) {
  const auto honest = make("honest", 40, 1.5), edited = make("edited", 90, 1.5);
  std::string report = base::read_file(edited / "eval/eval_report.json");
  report.replace(report.find("\"num_passed\": 90"), 16, "\"num_passed\": 99");
  put(edited / "eval/eval_report.json", report);
  const auto options = of({edited, honest});
  EXPECT_EQ(row(compare_runs(files_, options).json, "eval rows passed").at("best"), nullptr);
  EXPECT_EQ(leaderboard(files_, options).json.at("best_run"), "honest");
  RegistryOptions registered;
  registered.runs = options.runs;
  const auto out = registry(files_, registered);
  EXPECT_EQ(out.json.at("best_run"), "honest");
  EXPECT_EQ(out.json.at("entries")[1].at("status"), "unverified");
  EXPECT_THAT(out.text, HasSubstr("edited is unverified: "));
}

TEST_F(RunTables, RegistryTakesAFolderAndWritesACard) {
  const auto run = make("only", 80, 1.5);
  put(folder_.path() / "running/run.json", Json::object());
  RegistryOptions options;
  options.runs_dir = folder_.path().string();
  options.release_card = (folder_.path() / "card.md").string();
  options.html_out = (folder_.path() / "runs.html").string();
  const auto out = registry(files_, options);
  EXPECT_EQ(out.json.at("entries").size(), 1u) << "a run that has not ended is left out";
  EXPECT_EQ(out.json.at("entries")[0].at("tokens_per_parameter"), 20.0);
  const std::string card = base::read_file(*options.release_card);
  EXPECT_THAT(card, HasSubstr("# Release card: only"));
  EXPECT_THAT(card, HasSubstr("| release_gate | present |"));
  EXPECT_THAT(base::read_file(*options.html_out), HasSubstr("<!doctype html>"));
  options.runs = {run.string(), run.string()};
  options.runs_dir.reset();
  EXPECT_THROW(registry(files_, options), base::Error) << "a card is of one run";
}

TEST_F(RunTables, NothingToShowIsAnError) {
  EXPECT_THROW(compare_runs(files_, {}), base::Error);
  put(folder_.path() / "unfinished/run.json", Json::object());
  EXPECT_THROW(compare_runs(files_, of({folder_.path() / "unfinished"})), base::Error);
  RegistryOptions options;
  options.runs_dir = (folder_.path() / "nowhere").string();
  EXPECT_THROW(registry(files_, options), base::Error);
}

}  // namespace
}  // namespace picochat::evidence
