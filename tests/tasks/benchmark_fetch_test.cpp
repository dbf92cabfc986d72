// Benchmarks from a real server on loopback.
#include "picochat/tasks/benchmark_fetch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "picochat/base/error.hpp"
#include "picochat/tasks/benchmark_file.hpp"
#include "support/hub_server.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::tasks {
namespace {

using base::Json;
using test::HubServer;
using ::testing::HasSubstr;

const std::string kArcRow = R"({"id":"M1","question":"Which melts?","choices":{"text":["ice","iron"],"label":["A","B"]},"answerKey":"A"})" "\n";

std::string card(const std::string& config, const std::string& paths) {
  return "---\nlicense: cc-by-sa-4.0\nconfigs:\n- config_name: " + config + "\n  data_files:\n" + paths + "---\n";
}

class FetchBenchmark : public ::testing::Test {
 protected:
  base::CommandOutput fetch(const HubServer& server, FetchBenchmarkOptions options) {
    options.endpoint = server.endpoint();
    options.out_dir = (folder_ / "benchmarks").string();
    return fetch_benchmark(base::real_file_system(), options, [&](const std::string& name) -> std::optional<std::string> {
      if (name == "HF_HUB_CACHE") return (folder_ / "cache").string();
      if (name == "PICOCHAT_HUB_RETRY_SECONDS") return "0.01";
      return std::nullopt;
    });
  }
  std::string refusal(const HubServer& server, FetchBenchmarkOptions options) {
    try {
      fetch(server, std::move(options));
    } catch (const base::Error& error) {
      return std::to_string(static_cast<int>(error.code())) + " " + error.what();
    }
    return "no error";
  }
  test::TemporaryFolder folder_;
};

TEST_F(FetchBenchmark, ArrivesAsItIsDistributedWithItsSource) {
  const HubServer server({{"README.md", card("ARC-Easy", "  - split: test\n    path: ARC-Easy/test-*\n")}, {"ARC-Easy/test-00000-of-00001.jsonl", kArcRow}}, "allenai/ai2_arc");
  const auto out = fetch(server, {.name = "arc-easy"});
  const base::Path file = folder_ / "benchmarks/arc-easy.jsonl";
  EXPECT_EQ(base::read_file(file), kArcRow);
  EXPECT_EQ(read_benchmark(file).rows.size(), 1u);
  const Json source = base::read_json(file.string() + ".source.json");
  EXPECT_EQ(source.at("dataset"), "allenai/ai2_arc");
  EXPECT_EQ(source.at("commit"), HubServer::kCommit);
  EXPECT_EQ(source.at("sha256"), base::sha256(kArcRow).hex());
  EXPECT_EQ(source.at("license"), "cc-by-sa-4.0");
  EXPECT_EQ(source.at("rows"), 1);
  EXPECT_THAT(out.text, HasSubstr("--external-eval arc-easy=" + file.string()));
  EXPECT_EQ(refusal(server, {.name = "arc-easy"}), "no error") << "the same bytes may be fetched again";

  base::write_file(base::real_file_system(), file, "mine\n");
  EXPECT_THAT(refusal(server, {.name = "arc-easy"}), HasSubstr("4 another file has this name"));
  EXPECT_EQ(base::read_file(file), "mine\n");
  EXPECT_EQ(refusal(server, {.name = "arc-easy", .force = true}), "no error");
  EXPECT_EQ(base::read_file(file), kArcRow);
}

TEST_F(FetchBenchmark, MmluComesWithItsWorkedExamples) {
  auto rows = [](const std::string& subject, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += R"({"question":"q","subject":")" + subject + R"(","choices":["a","b","c","d"],"answer":)" + std::to_string(i % 4) + "}\n";
    return out;
  };
  const HubServer server({{"README.md", card("all", "  - split: test\n    path: all/test-*\n  - split: dev\n    path: all/dev-*\n")},
                          {"all/test-0.jsonl", rows("astronomy", 4) + rows("law", 4)}, {"all/dev-0.jsonl", rows("law", 4)}}, "cais/mmlu");
  fetch(server, {.name = "mmlu"});
  const auto file = read_benchmark(folder_ / "benchmarks/mmlu_test.jsonl");
  EXPECT_EQ(file.rows.size(), 8u);
  EXPECT_EQ(file.dev_shots.size(), 4u);
}

TEST_F(FetchBenchmark, WhatIsNoBenchmarkIsNotPublished) {
  const HubServer server({{"README.md", card("ARC-Easy", "  - split: test\n    path: ARC-Easy/test-*\n")}, {"ARC-Easy/test-0.jsonl", "{\"text\":\"x\"}\n"}}, "allenai/ai2_arc");
  EXPECT_THAT(refusal(server, {.name = "arc-easy"}), HasSubstr("4 this is no benchmark row"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "benchmarks"));
  EXPECT_THAT(refusal(server, {.name = "arc-hard"}), HasSubstr("2 this benchmark is not known"));
  EXPECT_THAT(refusal(server, {.name = "arc-easy", .split = "tset"}), HasSubstr("tset"));
  EXPECT_THAT(refusal(server, {.name = "mmlu"}), HasSubstr("404"));
}

}  // namespace
}  // namespace picochat::tasks
