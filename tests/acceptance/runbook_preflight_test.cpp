// Steps 4 to 6 of the 100M runbook, as they are documented, on a small corpus that stands in for the
// import: pack, preview, task pack, preflight of a GPU run on a machine without one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <map>

#include "acceptance/program.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"
#include "support/project.hpp"

namespace picochat::acceptance {
namespace {

using base::cat;
using base::Json;
using ::testing::HasSubstr;

constexpr const char* kPack = R"(
mkdir -p runs/smollm-100m-pack-v1
cat > runs/smollm-100m-pack-v1/dataset_pack.json <<'JSON'
{
"name": "smollm-100m-public-v1",
"description": "Bounded SmolLM-Corpus pack for the Picochat 100M public proof run.",
"corpus": {"recipe": "corpus_recipe.json"},
"chat": "chat.jsonl",
"eval": "eval.jsonl"
}
JSON
cat > runs/smollm-100m-pack-v1/corpus_recipe.json <<'JSON'
{
"name": "smollm-100m-public-v1",
"description": "FineWeb-Edu-Dedup plus Cosmopedia v2, imported into local document shards.",
"sources": [
{
"path": "../smollm-100m-sources/fineweb-edu-dedup/documents",
"label": "fineweb-edu-dedup"
},
{
"path": "../smollm-100m-sources/cosmopedia-v2/documents",
"label": "cosmopedia-v2"
}
],
"exclude": [
"**/.DS_Store",
"**/.git/**",
"**/__pycache__/**"
]
}
JSON
touch runs/smollm-100m-pack-v1/chat.jsonl
touch runs/smollm-100m-pack-v1/eval.jsonl
)";

constexpr const char* kPreview = R"(
picochat data preview \
--dataset-pack runs/smollm-100m-pack-v1/dataset_pack.json \
2>&1 | tee logs/preview-smollm-100m-pack-v1.log
)";

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

// Step 7 with a model that a CPU can train: everything but width, depth and the size of a step is as written.
TEST_F(Runbook, TheDryRunWritesCheckpointsAndGoesOnAfterAnInterruption) {
  ASSERT_EQ(shell(kPack), 0);
  ASSERT_EQ(shell(kTaskPack), 0);
  const std::string out = (folder_ / "runs/h100-smollm-100m-public-dryrun-v1").string();
  const std::vector<std::string> dry_run{"run", "tiny", "--out-dir", out, "--dataset-pack", (folder_ / "runs/smollm-100m-pack-v1/dataset_pack.json").string(), "--scale", "h100-100m",
                                         "--device", "cpu", "--precision", "float32", "--attn-backend", "auto", "--base-steps", "100", "--sft-steps", "1", "--long-run-gate-profile", "research",
                                         "--n-embd", "64", "--n-head", "4", "--n-kv-head", "2", "--n-layer", "2", "--base-batch-size", "2", "--base-sequences-per-step", "4", "--sft-batch-size", "2",
                                         "--sft-grad-accum-steps", "1", "--sft-fit-max-rows", "10", "--eval-max-new-tokens", "4", "--val-tokens", "4096", "--checkpoint-every-steps", "5"};
  Program program(folder_.path());
  const auto resumable = [&] {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(out + "/base/resume_checkpoint", none))
      if (entry.path().filename().string().starts_with("step-")) return true;
    return false;
  };
  const auto cut = program.run_until(dry_run, resumable, SIGTERM);
  ASSERT_EQ(cut.code, 143) << cut.errors;
  EXPECT_THAT(cut.errors, HasSubstr("run the same command again to go on"));
  const auto rest = program.run(dry_run);
  ASSERT_EQ(rest.code, 0) << rest.errors;
  EXPECT_THAT(rest.errors, HasSubstr("base: resumed after step"));

  const Json report = base::read_json(out + "/base/train_report.json");
  EXPECT_EQ(report.at("stop_reason"), "max_steps");
  std::ifstream metrics(out + "/metrics.jsonl");
  std::vector<double> losses;
  for (std::string line; std::getline(metrics, line);)
    if (const Json event = Json::parse(line); event.value("event", "") == "step" && event.at("stage") == "base") losses.push_back(event.at("train_loss").get<double>());
  ASSERT_EQ(losses.size(), 100u) << "each step once, in spite of the interruption";
  for (double loss : losses) EXPECT_TRUE(std::isfinite(loss));
  EXPECT_LT(losses.back(), losses.front());
  for (const char* stage : {"base", "sft"})
    for (const char* name : {"checkpoint", "last_checkpoint"}) EXPECT_TRUE(std::filesystem::exists(folder_ / cat("runs/h100-smollm-100m-public-dryrun-v1/", stage, "/", name, "/manifest.json"))) << stage << name;
}

TEST_F(Runbook, StepsFourToSixRunAsWritten) {
  ASSERT_EQ(shell(kPack), 0);
  ASSERT_EQ(shell(kPreview), 0) << "a preview with empty chat and eval files is a success that says what is still to do";
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
