// scripts/runbooks/proof.sh from an empty folder to a verified bundle, an export and a chat, with a model and a corpus scaled down. Text and
// benchmark are given, so that nothing is fetched; a stand-in for Debian's packages is cut into documents as the script cuts them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "acceptance/program.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "support/project.hpp"

namespace picochat::acceptance {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Proof : public ::testing::Test {
 protected:
  int shell(const std::string& script) const {
    folder.write("script.sh", "set -eo pipefail\ncd " + folder.path().string() + "\n" + script);
    return std::system(("bash " + (folder / "script.sh").string() + " >" + (folder / "script.log").string() + " 2>&1").c_str());
  }
  TemporaryFolder folder;
};

TEST_F(Proof, ADictionaryBecomesADocumentForEachEntry) {
  folder.write("given.txt", "00-database-short\n   The dictionary itself: a header that is no entry, however long it is.\n\nAbate \\A*bate\"\\, v. t.\n   To bring down a \"price\", a {pain} or a wind that blows over the sea.\n   [1913 Webster]\n\n"
                            "Short\n   x\nAcorn\n   The fruit of the oak, which falls in autumn and which the jay carries far away.\n");
  ASSERT_EQ(shell("LC_ALL=C awk -v mode=entries -f " + std::string(kSourceDir) + "/scripts/runbooks/documents.awk given.txt"), 0);
  EXPECT_EQ(read_all(folder / "script.log"), "{\"text\": \"Abate v. t. To bring down a \\\"price\\\", a pain or a wind that blows over the sea.\"}\n"
                                             "{\"text\": \"Acorn The fruit of the oak, which falls in autumn and which the jay carries far away.\"}\n");
}

TEST_F(Proof, TheScriptGoesFromAnEmptyFolderToAVerifiedBundleOfEachSeed) {
  std::string benchmark, text;
  for (int i = 0; i < 60; ++i)
    benchmark += base::Json{{"id", "made_" + std::to_string(i)}, {"question", "Sample " + std::to_string(i * 31) + " weighs " + std::to_string(i + 2) + " grams. Which of these could it be?"},
                            {"choices", {{"text", {"granite", "honey", "copper", "steam"}}, {"label", {"A", "B", "C", "D"}}}}, {"answerKey", std::string(1, static_cast<char>('A' + i * 7 % 4))}}.dump() + "\n";
  for (int i = 0; i < 300; ++i) {
    std::string words;
    for (int n = 0; n < 40; ++n) words += " " + std::to_string(i * 40 + n) + " stones";
    text += base::Json{{"text", "Quarry " + std::to_string(i) + " gave" + words}}.dump() + "\n";
  }
  text += base::Json{{"text", "Sample 93 weighs 5 grams. Which of these could it be? granite, honey, copper or steam"}}.dump() + "\n";
  folder.write("arc_easy.jsonl", benchmark);
  folder.write("texts/quarries.jsonl", text);
  const std::string book = "export PICOCHAT_TEXT=$PWD/texts PICOCHAT_TEXT_LICENSE=CC0-1.0 PICOCHAT_SKILLS='300 200 100 100 300 100' PICOCHAT_PROFILE=research PICOCHAT_SEEDS=2 PICOCHAT_BENCHMARK=arc-easy=$PWD/arc_easy.jsonl PICOCHAT=" +
                           std::string(kProgram) +
                           " PICOCHAT_FLAGS='--n-embd 32 --n-layer 1 --n-head 2 --n-kv-head 1 --context-size 128 --tokenizer-vocab-size 320 --base-steps 3 --sft-steps 3 --val-tokens 2048 --sft-fit-max-rows 10 "
                           "--eval-max-new-tokens 4 --allow-unsafe-long-run'\n" + std::string(kSourceDir) + "/scripts/runbooks/proof.sh\n";
  const int code = shell(book);
  std::string log = read_all(folder / "script.log");
  const fs::path run = folder / "runs/picochat-proof-cpu-v1/seed-43";
  ASSERT_TRUE(fs::exists(run / "gate/gate.json")) << log;
  EXPECT_THAT(log, AllOf(HasSubstr("1 of 301 documents removed"), HasSubstr("verdict: "), HasSubstr("(dry_run picochat-proof-cpu-v1-dryrun)"), HasSubstr("2 of 2")));
  EXPECT_THAT(read_all(folder / "runs/picochat-proof-cpu-v1-pack/corpus_recipe.json"), HasSubstr("CC0-1.0"));
  EXPECT_THAT(read_all(folder / "runs/picochat-proof-cpu-v1-sources/clean/quarries/documents/shard-000000.jsonl"), Not(HasSubstr("Sample 93")));
  if (base::read_json(run / "run.json").at("build").at("git_dirty") == true) {  // a strict bundle wants a commit that can be named
    EXPECT_NE(code, 0);
    EXPECT_THAT(log, HasSubstr("bundle-seed-42 stopped with exit code 3"));
    return;
  }
  ASSERT_EQ(code, 0) << log;
  for (const std::string seed : {"seed-42", "seed-43"}) {
    EXPECT_TRUE(fs::exists(folder / ("exports/picochat-proof-cpu-v1-" + seed) / "model.safetensors"));
    EXPECT_THAT(log, AllOf(HasSubstr("== verify-" + seed), HasSubstr("done: picochat-proof-cpu-v1-" + seed + ".tgz"), HasSubstr("== chat-" + seed)));
  }
  ASSERT_EQ(shell(book), 0);
  EXPECT_THAT(read_all(folder / "script.log"), AllOf(HasSubstr("-- chat-seed-43: done before"), HasSubstr("base: unchanged, reused")));
}

}  // namespace
}  // namespace picochat::acceptance
