// `run tiny --n-seeds` and `--tensorboard-log-dir`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "picochat/base/json.hpp"
#include "program.hpp"

namespace picochat::acceptance {
namespace {

using picochat::base::Json;
using ::testing::HasSubstr;

TEST(Seeds, EachIsARunAndTheirSpreadIsReported) {
  const TemporaryFolder folder;
  Program program(folder.path());
  const auto out = folder / "seeds", curves = folder / "curves";
  auto command = [&](const std::string& seed, const std::string& n) {
    return std::vector<std::string>{"run", "tiny", "--scale", "tiny-cpu", "--corpus-input", std::string(picochat::kSourceDir) + "/docs", "--out-dir", out.string(),
                                    "--base-steps", "3", "--sft-steps", "2", "--val-tokens", "2048", "--sft-fit-max-rows", "10", "--eval-max-new-tokens", "4", "--seed", seed, "--n-seeds", n,
                                    "--tensorboard-log-dir", curves.string()};
  };
  const auto outcome = program.run(command("7", "2"));
  ASSERT_EQ(outcome.code, 0) << outcome.errors;
  const Json summary = picochat::base::read_json(out / "summary.json");
  EXPECT_EQ(summary.at("type"), "multi_seed_tiny");
  ASSERT_EQ(summary.at("runs").size(), 2u);
  std::vector<double> bpb;
  for (const Json& run : summary.at("runs")) {
    const Json own = picochat::base::read_json(out / run.at("out_dir").get<std::string>() / "summary.json");
    EXPECT_EQ(own.at("config").at("seed"), run.at("seed"));
    EXPECT_EQ(own.at("base").at("best_val_bpb"), run.at("base_val_bpb"));
    bpb.push_back(run.at("base_val_bpb"));
  }
  EXPECT_NE(bpb[0], bpb[1]);
  const Json& spread = summary.at("aggregate").at("base_val_bpb");
  EXPECT_EQ(spread.at("n"), 2);
  EXPECT_NEAR(spread.at("mean").get<double>(), (bpb[0] + bpb[1]) / 2, 1e-12);
  EXPECT_NEAR(spread.at("std").get<double>(), std::abs(bpb[0] - bpb[1]) / std::sqrt(2.0), 1e-12);
  EXPECT_THAT(read_all(out / "summary.md"), HasSubstr("Weakest category: "));
  EXPECT_FALSE(std::filesystem::is_empty(curves / "seed-7/base"));
  EXPECT_FALSE(std::filesystem::is_empty(curves / "seed-8/sft"));

  const auto again = program.run(command("7", "2"));
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.errors, HasSubstr("reused"));
  const auto other = program.run(command("8", "2"));
  EXPECT_EQ(other.code, 4);
  EXPECT_THAT(other.errors, HasSubstr("--seed 7"));
}

}  // namespace
}  // namespace picochat::acceptance
