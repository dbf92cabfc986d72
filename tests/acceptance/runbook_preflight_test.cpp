// Steps 4 to 6 of the 100M runbook, as they are documented, on a small corpus that stands in for the
// import: pack, preview, task pack, preflight of a GPU run on a machine without one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "acceptance/program.hpp"
#include "acceptance/runbook_pack.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"
#include "support/project.hpp"

namespace picochat::acceptance {
namespace {

using base::cat;
using base::Json;
using ::testing::HasSubstr;

constexpr const char* kTaskPack = R"(
PYTHONUNBUFFERED=1 picochat data task-pack \
--dataset-pack runs/smollm-100m-pack-v1/dataset_pack.json \
--profile release_skills \
--sft-rows 2800 \
--eval-rows 700 \
--skill-answer-style scratchpad \
--source offline \
--force \
2>&1 | tee logs/task-pack-smollm-100m-release-skills.log
)";

constexpr const char* kPreflight = R"(
PYTHONUNBUFFERED=1 picochat run tiny \
--out-dir runs/h100-smollm-100m-public-v1 \
--dataset-pack runs/smollm-100m-pack-v1/dataset_pack.json \
--scale h100-100m \
--device cuda \
--precision bf16 \
--matmul-precision high \
--attn-backend flash \
--long-run-gate-profile skill_release \
--preflight-only \
2>&1 | tee logs/preflight-h100-smollm-100m-public-v1.log
)";

class Runbook : public ::testing::Test {
 protected:
  TemporaryFolder folder_;

  void SetUp() override {
    std::filesystem::create_directories(folder_ / "bin");
    std::filesystem::create_directories(folder_ / "logs");
    std::filesystem::create_symlink(kProgram, folder_ / "bin/picochat");
    for (const std::string source : {"fineweb-edu-dedup", "cosmopedia-v2"}) {
      std::string rows;
      for (int i = 0; i < 300; ++i)
        rows += Json{{"text", cat("Lesson ", i, " of ", source, ". Rivers carry sand and stones from the hills to the sea; lesson ", i * i,
                                  " asks how far a grain of size ", i % 17, " travels in ", i % 23, " days, and what happens when the water slows down.")}}.dump() + "\n";
      folder_.write(cat("runs/smollm-100m-sources/", source, "/documents/shard-000000.jsonl"), rows);
      folder_.write(cat("runs/smollm-100m-sources/", source, "/hf_import_report.json"),
                    Json{{"dataset", "HuggingFaceTB/smollm-corpus"}, {"config_name", source}, {"source", {{"kind", "hub"}, {"commit", "3ba9d605774198c5868892d7a8deda78031a781f"}, {"license", "odc-by"}}},
                         {"document_files", {{{"path", "shard-000000.jsonl"}, {"sha256", base::sha256(rows).hex()}}}}}.dump());
    }
  }

  // Runs the commands in the folder as a user would, with pipefail; the exit code.
  int shell(const std::string& commands) {
    const auto script = folder_.write("script.sh", cat("set -o pipefail\nexport PATH=", (folder_ / "bin").string(), ":$PATH\ncd ", folder_.path().string(), "\n", commands));
    const int status = std::system(cat("bash ", script.string(), " > /dev/null 2>&1").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

TEST_F(Runbook, StepsFourToSixRunAsWritten) {
  ASSERT_EQ(shell(kRunbookPack), 0);
  ASSERT_EQ(shell(kRunbookPreview), 0) << "a preview with empty chat and eval files is a success that says what is still to do";
  EXPECT_THAT(folder_.read("logs/preview-smollm-100m-pack-v1.log"), HasSubstr("data task-pack"));
  ASSERT_EQ(shell(kTaskPack), 0);
  ASSERT_EQ(shell(kPreflight), 3) << folder_.read("logs/preflight-h100-smollm-100m-public-v1.log");

  const Json report = base::read_json(folder_ / "runs/h100-smollm-100m-public-v1/preflight.json");
  std::map<std::string, Json> checks;
  for (const auto& check : report.at("checks")) checks[check.at("name")] = check;
  EXPECT_EQ(report.at("status"), "blocked");
  for (const char* name : {"release_token_budget", "compute_optimal_horizon", "sft_category_balance", "eval_skill_release_coverage", "contamination", "data_honesty",
                           "release_data_honesty", "license_known", "provenance_complete", "sft_exposure"})
    EXPECT_EQ(checks[name].value("status", ""), "pass") << name << checks[name].dump();
  for (const char* name : {"corpus_model_fit", "base_exposure"}) {  // the stand-in is far too small
    EXPECT_EQ(checks[name].value("status", ""), "block") << name;
    EXPECT_THAT(checks[name].value("remedy", ""), HasSubstr("import more documents"));
  }
  for (const char* name : {"attention_backend_runtime", "sanity_passed", "memory_fit", "disk_fit", "time_cost"}) {
    EXPECT_EQ(checks[name].value("status", ""), "deferred_to_host") << name;
    EXPECT_FALSE(checks[name].value("blocks", true)) << name;
  }
  EXPECT_EQ(checks["license_known"].at("metric"), "2 of 2 sources");
  EXPECT_EQ(checks["tokenizer_fit"].value("status", ""), "warn") << "so little text does not hold 8,192 tokens";
  EXPECT_EQ(report.at("budget").at("corpus_tokens_source"), "sampled");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "runs/h100-smollm-100m-public-v1/preflight.md"));
}

}  // namespace
}  // namespace picochat::acceptance
