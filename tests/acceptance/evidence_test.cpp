// From a finished run to a bundle that a stranger can check: judged with an outside benchmark, packaged, altered in
// every way that matters, moved, restored elsewhere and gone on with.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "evidence/archive.hpp"
#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"
#include "program.hpp"

namespace picochat::acceptance {
namespace {

using base::cat;
using base::Json;
using base::Path;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

void write_corpus(const Path& path, int documents) {
  std::ofstream out(path);
  for (int i = 0; i < documents; ++i)
    out << Json{{"text", cat("Entry ", i, ": a river carries ", i * 7, " letters to the market, and the old bridge keeps every door open.")}}.dump() << "\n";
}

// Rows in the layout of ARC-Easy on the hub.
void write_benchmark(const Path& path) {
  const std::vector<std::string> things{"granite", "honey", "copper", "steam"};
  std::ofstream out(path);
  for (size_t i = 0; i < 60; ++i)
    out << Json{{"id", cat("made_", i)}, {"question", cat("Sample ", i * 31, " weighs ", i + 2, " grams. Which of these could it be?")},
                {"choices", {{"text", {things[i % 4], things[(i + 1) % 4], things[(i + 2) % 4], cat("nothing above ", i)}}, {"label", {"A", "B", "C", "D"}}}},
                {"answerKey", std::string(1, static_cast<char>('A' + i * 7 % 4))}}.dump() << "\n";
}

Json json_of(const Path& path) { return Json::parse(read_all(path)); }

void unpack(const Path& bundle, const Path& into) {
  Path file;
  evidence::read_archive(
      bundle,
      [&](const evidence::ArchiveEntry& entry) {
        file = into / entry.name.substr(entry.name.find('/') + 1);
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary);
      },
      [&](std::string_view piece) { std::ofstream(file, std::ios::binary | std::ios::app) << piece; });
}

void pack(const Path& folder, const Path& bundle) {
  evidence::ArchiveWriter writer(base::real_file_system(), bundle);
  for (const auto& path : base::list_files(folder)) {
    const std::string bytes = read_all(folder / path);
    writer.begin_entry(cat("run/", path.generic_string()), bytes.size());
    writer.append(bytes);
  }
  writer.publish();
}

// What a forger would do after a change: every list of digests says what is there now.
void mend_digests(const Path& folder) {
  Json manifest = json_of(folder / "bundle_manifest.json"), listed = Json::array();
  std::string sums;
  for (const auto& path : base::list_files(folder)) {
    const std::string name = path.generic_string();
    if (name == "SHA256SUMS" || name.starts_with("bundle_manifest")) continue;
    listed.push_back({{"path", name}, {"bytes", std::filesystem::file_size(folder / path)}, {"sha256", base::sha256_file(folder / path).hex()}});
  }
  manifest["included_files"] = listed;
  std::ofstream(folder / "bundle_manifest.json") << base::dump(manifest) << "\n";
  for (const auto& path : base::list_files(folder))
    if (path != "SHA256SUMS") sums += cat(base::sha256_file(folder / path).hex(), "  ", path.generic_string(), "\n");
  std::ofstream(folder / "SHA256SUMS") << sums;
}

// The nine artifacts of a public model, by the file or folder that stands for each.
const std::map<std::string, std::vector<std::string>>& nine() {
  static const std::map<std::string, std::vector<std::string>> artifacts{
      {"git_commit", {"summary.json"}},
      {"dataset_pack", {"corpus_manifest.json", "inputs/chat.jsonl", "inputs/eval.jsonl", "inputs/inputs.json"}},
      {"preflight_report", {"preflight.json", "preflight.md"}},
      {"training_curves", {"base/train_report.json", "base/curves.svg", "sft/sft_report.json", "sft/curves.svg", "metrics.jsonl"}},
      {"honesty_report", {"honesty/honesty_report.json", "honesty/report.md"}},
      {"internal_eval_report", {"eval/eval_report.json", "eval/report.md"}},
      {"external_benchmark_report", {"external_eval/arc-easy/eval_report.json", "external_eval/arc-easy/report.md"}},
      {"release_gate", {"gate/gate.json", "gate/gate.md", "gate/gate_evidence.json"}},
      {"hf_export_and_model_card", {"export/release_manifest.json", "export/README.md"}}};
  return artifacts;
}

// Two short runs on different text, judged with a benchmark and packaged: what is recorded matters here, not what was learned.
class Evidence : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    write_benchmark(root() / "arc_easy.jsonl");
    for (const auto& [name, documents, seed] : {std::tuple{"run", 400, "42"}, std::tuple{"other", 300, "43"}}) {
      write_corpus(root() / cat(name, ".jsonl"), documents);
      must(run_command(name, root() / name, seed));
      if (std::string(name) == "run") unbenchmarked_ = Program(root()).run({"run", "bundle", "--run-dir", (root() / name).string(), "--out", (root() / "early.tgz").string(), "--strict"});
      must({"gate", "judge", "--run-dir", (root() / name).string(), "--external-eval", cat("arc-easy=", (root() / "arc_easy.jsonl").string())});
      // A checkout with changes is refused by --strict, as it should; the program under test may be built from one.
      Json summary = json_of(root() / name / "summary.json");
      summary["build"]["git_commit"] = std::string(40, name[0] == 'r' ? '1' : '2');
      summary["build"]["git_dirty"] = false;
      std::ofstream(root() / name / "summary.json") << base::dump(summary) << "\n";
      must({"run", "bundle", "--run-dir", (root() / name).string(), "--out", bundle(name).string(), "--strict"});
      unpack(bundle(name), root() / "unpacked" / name);
    }
  }
  static void TearDownTestSuite() { delete folder_; }
  void SetUp() override { ASSERT_THAT(failures_, IsEmpty()); }

  static Path root() { return folder_->path(); }
  static Path bundle(const std::string& name) { return root() / cat(name, "-bundle.tgz"); }
  static std::vector<std::string> run_command(const std::string& corpus, const Path& out, const std::string& seed) {
    return {"run", "tiny", "--corpus-input", (root() / cat(corpus, ".jsonl")).string(), "--out-dir", out.string(), "--seed", seed, "--tokenizer-vocab-size", "320", "--context-size", "128",
            "--n-embd", "64", "--n-head", "4", "--n-kv-head", "2", "--n-layer", "2", "--norm-type", "rmsnorm", "--position-encoding", "rope", "--activation", "swiglu", "--tie-embeddings",
            "--qk-norm", "--no-linear-bias", "--base-steps", "4", "--base-batch-size", "4", "--sft-steps", "2", "--sft-batch-size", "2", "--sft-fit-max-rows", "4", "--eval-max-new-tokens", "2",
            "--val-tokens", "2048"};
  }
  static void must(const std::vector<std::string>& words) {
    const auto outcome = Program(root()).run(words);
    if (outcome.code != 0) failures_.push_back(cat(words[0], " ", words[1], ": exit ", outcome.code, "\n", outcome.output, outcome.errors));
  }

  struct Verified {
    int code;
    std::string text;
    std::vector<std::string> files, artifacts;  // that are named
  };
  Verified verify(const Path& target) {
    const auto outcome = program.run({"run", "verify", target.string(), "--json"});
    Verified verified{.code = outcome.code, .text = outcome.errors, .files = {}, .artifacts = {}};
    if (outcome.code != 0 && outcome.code != 3) return verified;
    const Json problems = Json::parse(outcome.output).at("problems");
    verified.text = base::dump(problems);
    for (const auto& problem : problems) {
      verified.files.push_back(problem.at("file"));
      if (problem.at("artifact").is_string()) verified.artifacts.push_back(problem.at("artifact"));
    }
    return verified;
  }
  // A copy of the unpacked bundle, to be spoiled.
  Path copy() {
    const Path to = scratch.path() / cat("copy-", copies_++);
    std::filesystem::copy(root() / "unpacked/run", to, std::filesystem::copy_options::recursive);
    return to;
  }

  TemporaryFolder scratch;
  Program program{scratch.path()};
  static inline TemporaryFolder* folder_ = nullptr;
  static inline std::vector<std::string> failures_;
  static inline Outcome unbenchmarked_;

 private:
  int copies_ = 0;
};

TEST_F(Evidence, AStrictBundleHoldsTheNineArtifactsAndVerifies) {
  const Json manifest = json_of(bundle("run").string() + ".manifest.json");
  ASSERT_EQ(manifest.at("required_artifacts").size(), 9u);
  for (const auto& item : manifest.at("required_artifacts")) {
    EXPECT_EQ(item.at("status"), "present") << item;
    EXPECT_TRUE(nine().contains(item.at("name"))) << item;
    for (const auto& file : nine().at(item.at("name"))) EXPECT_TRUE(std::filesystem::exists(root() / "unpacked/run" / file)) << file;
  }
  EXPECT_EQ(manifest.at("bundle_sha256"), base::sha256_file(bundle("run")).hex());
  const auto verified = verify(bundle("run"));
  EXPECT_EQ(verified.code, 0) << verified.text;
  EXPECT_THAT(program.run({"run", "inspect-bundle", "--bundle", bundle("run").string()}).output, AllOf(HasSubstr("sft/checkpoint"), HasSubstr("external_benchmark_report")));
}

TEST_F(Evidence, WithoutABenchmarkStrictNamesThatOneAndTheCommandThatMakesIt) {
  EXPECT_EQ(unbenchmarked_.code, 3);
  EXPECT_THAT(unbenchmarked_.errors, AllOf(HasSubstr("external_benchmark_report is missing"), HasSubstr("gate judge"), Not(HasSubstr("honesty_report is")), Not(HasSubstr("release_gate is"))));
  EXPECT_FALSE(std::filesystem::exists(root() / "early.tgz"));
}

TEST_F(Evidence, EachArtifactRemovedIsNamed) {
  for (const auto& [artifact, files] : nine()) {
    const Path folder = copy();
    for (const auto& file : files) std::filesystem::remove(folder / file);
    const auto verified = verify(folder);
    EXPECT_EQ(verified.code, 3) << artifact << verified.text;
    for (const auto& file : files) EXPECT_THAT(verified.files, Contains(file)) << artifact;
    EXPECT_THAT(verified.artifacts, Contains(artifact)) << verified.text;
  }
}

TEST_F(Evidence, OneByteChangedInAnyFileOfAnArtifactIsNamed) {
  const Path folder = copy();
  for (const auto& [artifact, files] : nine())
    for (const auto& file : files) {
      const std::string bytes = read_all(folder / file);
      std::string changed = bytes;
      changed[bytes.size() / 2] ^= 1;
      std::ofstream(folder / file, std::ios::binary) << changed;
      const auto verified = verify(folder);
      EXPECT_EQ(verified.code, 3) << file << verified.text;
      EXPECT_THAT(verified.files, Contains(file));
      EXPECT_THAT(verified.artifacts, Contains(artifact)) << verified.text;
      std::ofstream(folder / file, std::ios::binary) << bytes;
    }
  EXPECT_EQ(verify(folder).code, 0);
}

TEST_F(Evidence, EachArtifactSwappedWithAnotherRunsIsNamedThoughEveryDigestWasMended) {
  for (const auto& [artifact, files] : nine()) {
    const Path folder = copy();
    for (const auto& file : files) std::filesystem::copy_file(root() / "unpacked/other" / file, folder / file, std::filesystem::copy_options::overwrite_existing);
    const auto swapped = verify(folder);
    EXPECT_EQ(swapped.code, 3) << artifact << swapped.text;
    EXPECT_THAT(swapped.artifacts, Contains(artifact)) << swapped.text;
    mend_digests(folder);
    pack(folder, scratch.path() / "forged.tgz");
    const auto forged = verify(scratch.path() / "forged.tgz");
    EXPECT_EQ(forged.code, 3) << artifact << forged.text;
    EXPECT_THAT(forged.artifacts, Contains(artifact)) << forged.text;
  }
}

TEST_F(Evidence, ASwappedCheckpointIsNamedThoughEveryDigestWasMended) {
  const Path folder = copy();
  std::filesystem::remove_all(folder / "sft/checkpoint");
  std::filesystem::copy(root() / "unpacked/other/sft/checkpoint", folder / "sft/checkpoint", std::filesystem::copy_options::recursive);
  mend_digests(folder);
  const auto forged = verify(folder);
  EXPECT_EQ(forged.code, 3);
  EXPECT_THAT(forged.files, Contains("sft/checkpoint"));
  EXPECT_THAT(forged.artifacts, AllOf(Contains("internal_eval_report"), Contains("external_benchmark_report"), Contains("training_curves"))) << forged.text;
}

bool trained(const Outcome& outcome) { return outcome.errors.find(" tok/s") != std::string::npos; }

// What a run's own files say of it, wherever they lie.
void expect_same_verdict(const Path& run, const Json& verdict) { EXPECT_EQ(json_of(run / "gate/gate.json"), verdict) << run; }

TEST_F(Evidence, AMovedRunVerifiesReplaysAndGoesOn) {
  const Path moved = scratch.path() / "a/moved run";
  std::filesystem::create_directories(moved.parent_path());
  std::filesystem::copy(root() / "run", moved, std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  const Json verdict = json_of(moved / "gate/gate.json");
  const std::string weights = read_all(moved / "sft/checkpoint/manifest.json");
  EXPECT_EQ(verify(moved).code, 0) << verify(moved).text;
  EXPECT_EQ(program.run({"gate", "replay", moved.string()}).code, 0);
  const auto again = program.run(run_command("run", moved, "42"));
  EXPECT_EQ(again.code, 0) << again.errors;
  EXPECT_FALSE(trained(again)) << again.errors;
  EXPECT_EQ(read_all(moved / "sft/checkpoint/manifest.json"), weights);
  expect_same_verdict(moved, verdict);
  EXPECT_EQ(verify(moved).code, 0) << verify(moved).text;
}

TEST_F(Evidence, ARunRestoredFromItsBundleVerifiesReplaysAndGoesOn) {
  const Path restored = scratch.path() / "restored";
  unpack(bundle("run"), restored);
  const Json verdict = json_of(restored / "gate/gate.json");
  const std::string weights = read_all(restored / "sft/checkpoint/manifest.json");
  EXPECT_EQ(verify(restored).code, 0) << verify(restored).text;
  EXPECT_EQ(program.run({"gate", "replay", bundle("run").string()}).code, 0);
  EXPECT_EQ(program.run({"gate", "replay", restored.string()}).code, 0);
  const auto again = program.run(run_command("run", restored, "42"));
  EXPECT_EQ(again.code, 0) << again.errors;
  EXPECT_FALSE(trained(again)) << again.errors;
  EXPECT_EQ(read_all(restored / "sft/checkpoint/manifest.json"), weights);
  expect_same_verdict(restored, verdict);
}

}  // namespace
}  // namespace picochat::acceptance
