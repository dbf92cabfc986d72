// The import commands of the 100M runbook, as written there, against a hub on loopback that redirects to a
// second origin, asks to wait, cuts and stalls; and the same import killed at random instants.
#ifndef PICOCHAT_ARROW
#include <gtest/gtest.h>
TEST(Import, NeedsArrow) { GTEST_SKIP() << "skipped: built without Arrow C++"; }
#else
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "program.hpp"
#include "runbook_pack.hpp"
#include "support/hub_server.hpp"
#include "support/parquet_writer.hpp"
#include "support/project.hpp"

namespace picochat::acceptance {
namespace {

namespace fs = std::filesystem;
using test::Fault;
using test::HubServer;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kCard = R"(---
license: odc-by
configs:
- config_name: cosmopedia-v2
  data_files:
  - split: train
    path: cosmopedia-v2/train-*
- config_name: fineweb-edu-dedup
  data_files:
  - split: train
    path: fineweb-edu-dedup/train-*
- config_name: python-edu
  data_files:
  - split: train
    path: python-edu/train-*
---
)";

std::string shard(int seed, int count, const char* column = "text") {
  static const std::vector<std::string> words{"water", "light", "the", "of", "plants", "energy", "a", "school", "history", "measure", "because", "river", "and", "to", "number"};
  std::mt19937_64 engine(static_cast<uint64_t>(seed));
  std::vector<test::ParquetRow> rows;
  for (int i = 0; i < count; ++i) {
    std::string text = "Lesson " + std::to_string(seed) + "/" + std::to_string(i) + ".";
    for (uint64_t n = 5 + engine() % 300; n > 0; --n) text += (n % 40 == 0 ? "\n\n" : " ") + words[engine() % words.size()];
    rows.push_back({text});
  }
  return test::parquet_bytes(rows, 200, column);
}

class RunbookImport : public ::testing::Test {
 protected:
  RunbookImport()
      : server({{"README.md", kCard},
                {"fineweb-edu-dedup/train-00000-of-00002.parquet", shard(1, 2500)},
                {"fineweb-edu-dedup/train-00001-of-00002.parquet", shard(2, 1500)},
                {"cosmopedia-v2/train-00000-of-00001.parquet", shard(3, 1200)},
                {"python-edu/train-00000-of-00001.parquet", shard(4, 50, "blob_id")}},
               "HuggingFaceTB/smollm-corpus"),
        program(folder.path()) {
    ::setenv("HF_ENDPOINT", server.endpoint().c_str(), 1);
    ::setenv("HF_HOME", (folder / "hf").c_str(), 1);
    ::setenv("PICOCHAT_HUB_RETRY_SECONDS", "0.02", 1);
    ::setenv("HF_HUB_DOWNLOAD_TIMEOUT", "2", 1);
    ::setenv("HF_TOKEN", "hf_secret", 1);
    server.token = "hf_secret";
  }

  // In the folder of the test, with `picochat` on the path.
  int shell(const std::string& script) const {
    fs::create_directories(folder / "bin");
    std::error_code ignored;
    fs::create_symlink(kProgram, folder / "bin/picochat", ignored);
    folder.write("script.sh", "set -eo pipefail\nexport PATH=" + (folder / "bin").string() + ":$PATH\ncd " + folder.path().string() + "\n" + script);
    return std::system(("bash " + (folder / "script.sh").string() + " >" + (folder / "script.log").string() + " 2>&1").c_str());
  }
  // Shards, text and report, the report without its timing.
  std::map<std::string, std::string> outcome(const fs::path& where) const {
    std::map<std::string, std::string> out;
    for (const auto& path : base::list_files(where)) {
      if (path.filename().string().starts_with('.') || path.extension() == ".md") continue;
      std::string bytes = read_all(where / path);
      if (path.filename() == "hf_import_report.json") {
        auto report = base::Json::parse(bytes);
        for (const char* key : {"timing", "out_path", "report_path", "documents_dir", "next_command"}) report.erase(key);
        bytes = report.dump();
      }
      out[path.generic_string()] = base::sha256(bytes).hex();
    }
    return out;
  }

  TemporaryFolder folder;
  HubServer server;
  Program program;
};

constexpr const char* kImports = R"(mkdir -p runs/smollm-100m-sources logs
PYTHONUNBUFFERED=1 picochat data hf-import \
--dataset HuggingFaceTB/smollm-corpus \
--config fineweb-edu-dedup \
--split train \
--text-column text \
--out runs/smollm-100m-sources/fineweb-edu-dedup/corpus.txt \
--documents-dir runs/smollm-100m-sources/fineweb-edu-dedup/documents \
--report runs/smollm-100m-sources/fineweb-edu-dedup/hf_import_report.json \
--max-rows 800000 \
--min-chars 200 \
--document-shard-rows 1000 \
2>&1 | tee logs/import-smollm-fineweb-edu-dedup.log
PYTHONUNBUFFERED=1 picochat data hf-import \
--dataset HuggingFaceTB/smollm-corpus \
--config cosmopedia-v2 \
--split train \
--text-column text \
--out runs/smollm-100m-sources/cosmopedia-v2/corpus.txt \
--documents-dir runs/smollm-100m-sources/cosmopedia-v2/documents \
--report runs/smollm-100m-sources/cosmopedia-v2/hf_import_report.json \
--max-rows 200000 \
--min-chars 300 \
--document-shard-rows 1000 \
2>&1 | tee logs/import-smollm-cosmopedia-v2.log
)";

TEST_F(RunbookImport, TheDocumentedCommandsRunAsWritten) {
  const std::vector<Fault> script{Fault::kNone, Fault::kTooMany, Fault::kNone, Fault::kCut, Fault::kUnavailable, Fault::kStall, Fault::kNone, Fault::kExpired};
  server.storage_fault = [&](int n) { return n < 24 ? script[static_cast<size_t>(n) % script.size()] : n % 5 == 2 ? Fault::kCut : Fault::kNone; };
  server.hub_status = [](int n) { return n % 6 == 2 ? 429 : 0; };
  ASSERT_EQ(shell(kImports), 0) << read_all(folder / "script.log");
  const auto report = base::Json::parse(read_all(folder / "runs/smollm-100m-sources/fineweb-edu-dedup/hf_import_report.json"));
  EXPECT_EQ(report["rows_seen"], 4000);
  EXPECT_EQ(report["source"]["license"], "odc-by");
  EXPECT_EQ(report["split_exhausted"], true);
  EXPECT_EQ(server.tokens_at_storage, 0);
  ASSERT_EQ(shell(std::string(kRunbookPack) + kRunbookPreview), 0) << read_all(folder / "script.log");
  const auto second = base::Json::parse(read_all(folder / "runs/smollm-100m-sources/cosmopedia-v2/hf_import_report.json"));
  const int64_t documents = report["rows_written"].get<int64_t>() + second["rows_written"].get<int64_t>();
  EXPECT_THAT(read_all(folder / "logs/preview-smollm-100m-pack-v1.log"), AllOf(HasSubstr("num_documents: " + std::to_string(documents)), HasSubstr("picochat data task-pack")));
}

TEST_F(RunbookImport, AConfigWithoutTextFailsBeforeAnyDownload) {
  const auto outcome = program.run({"data", "hf-import", "--dataset", "HuggingFaceTB/smollm-corpus", "--config", "python-edu", "--out", (folder / "p/corpus.txt").string()});
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors, AllOf(HasSubstr("python-edu"), HasSubstr("blob_id")));
  EXPECT_LE(server.storage_requests, 2) << "the footer alone";
  EXPECT_FALSE(fs::exists(folder / "p"));
}

// scripts/runbooks/100m.sh from an empty folder to a verified bundle: on the CPU, with a model and a corpus scaled down and judged as
// research. Cut off in the middle, it goes on; a step that fails stops it.
TEST_F(RunbookImport, TheScriptGoesFromAnEmptyFolderToAVerifiedBundle) {
  std::string benchmark;
  for (int i = 0; i < 60; ++i)
    benchmark += base::Json{{"id", "made_" + std::to_string(i)}, {"question", "Sample " + std::to_string(i * 31) + " weighs " + std::to_string(i + 2) + " grams. Which of these could it be?"},
                            {"choices", {{"text", {"granite", "honey", "copper", "steam"}}, {"label", {"A", "B", "C", "D"}}}}, {"answerKey", std::string(1, static_cast<char>('A' + i * 7 % 4))}}.dump() + "\n";
  folder.write("arc_easy.jsonl", benchmark);
  const std::string book = std::string("export PICOCHAT_DEVICE=cpu PICOCHAT_PRECISION=float32 PICOCHAT_ATTENTION=auto PICOCHAT_PROFILE=research PICOCHAT_GPU_USD=2 PICOCHAT_ROWS='500 300' ") +
                           "PICOCHAT_BENCHMARK=arc-easy=$PWD/arc_easy.jsonl PICOCHAT=$(command -v picochat)\n" +
                           "export PICOCHAT_FLAGS='--n-embd 32 --n-layer 2 --n-head 4 --n-kv-head 2 --context-size 128 --tokenizer-vocab-size 320 --base-steps 3 --sft-steps 3 --val-tokens 2048 --sft-fit-max-rows 10 "
                           "--eval-max-new-tokens 4 --base-sequences-per-step 16 --allow-unsafe-long-run'\n" +
                           std::string(kSourceDir) + "/scripts/runbooks/100m.sh\n";
  server.hub_status = [](int) { return 503; };
  EXPECT_NE(shell(book), 0) << "the hub is down";
  EXPECT_THAT(read_all(folder / "script.log"), AllOf(HasSubstr("budget: 2.16B tokens"), HasSubstr("import-fineweb-edu-dedup stopped with exit code 5")));
  server.hub_status = [](int) { return 0; };
  const int code = shell(book);
  const std::string log = read_all(folder / "script.log");
  if (base::read_json(folder / "runs/h100-smollm-100m-public-v1/run.json").at("build").at("git_dirty") == true) {  // a strict bundle wants a commit that can be named
    EXPECT_NE(code, 0);
    EXPECT_THAT(log, AllOf(HasSubstr("lacks 1 of the 9 artifacts"), HasSubstr("git_commit is stale"), HasSubstr("bundle stopped with exit code 3")));
    return;
  }
  ASSERT_EQ(code, 0) << log;
  EXPECT_THAT(log, AllOf(HasSubstr("-- sanity: done before"), HasSubstr("== verify:"), HasSubstr("done: h100-smollm-100m-public-v1.tgz")));
  EXPECT_TRUE(fs::exists(folder / "h100-smollm-100m-public-v1.tgz"));
  EXPECT_TRUE(fs::exists(folder / "exports/h100-smollm-100m-public-v1/release_manifest.json"));
  ASSERT_EQ(shell(book), 0);
  EXPECT_THAT(read_all(folder / "script.log"), AllOf(HasSubstr("-- export: done before"), HasSubstr("base: unchanged, reused")));
}

// PICOCHAT_LONG_TESTS: 20 imports, each killed twice; else 3.
TEST_F(RunbookImport, KilledAtRandomInstantsItEndsWithTheSameBytes) {
  server.storage_fault = [](int n) { return n % 7 == 3 ? Fault::kCut : n % 11 == 5 ? Fault::kUnavailable : Fault::kNone; };
  server.storage_delay_ms = 4;
  auto arguments = [&](const std::string& where) -> std::vector<std::string> {
    return {"data", "hf-import", "--dataset", "HuggingFaceTB/smollm-corpus", "--config", "fineweb-edu-dedup", "--out", (folder.path() / where / "corpus.txt").string(),
            "--max-rows", "800000", "--min-chars", "200", "--document-shard-rows", "50", "--dedup", "exact"};
  };
  ASSERT_EQ(program.run(arguments("undisturbed")).code, 0);
  const int requests = server.storage_requests;
  const auto want = outcome(folder / "undisturbed");
  const int rounds = std::getenv("PICOCHAT_LONG_TESTS") ? 20 : 3;
  std::mt19937_64 engine(20261125);
  int killed = 0, resumed = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string where = "killed" + std::to_string(round);
    for (int i = 0; i < 2; ++i) {
      // Instants are counted in requests, so that a quicker machine is killed in the middle too.
      const int last = server.storage_requests + 1 + static_cast<int>(engine() % static_cast<uint64_t>(requests * 4 / 5));
      killed += program.run_until(arguments(where), [&] { return server.storage_requests >= last; }).killed;
    }
    resumed += fs::exists(folder.path() / where / "documents/.import.jsonl");
    const auto last = program.run(arguments(where));
    ASSERT_EQ(last.code, 0) << last.errors;
    EXPECT_EQ(outcome(folder.path() / where), want) << "round " << round;
  }
  EXPECT_GE(killed, rounds);
  EXPECT_GE(resumed, 1);
}

}  // namespace
}  // namespace picochat::acceptance
#endif
