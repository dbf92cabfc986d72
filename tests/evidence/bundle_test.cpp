// A bundle is whole, says what it lacks, and gives away every change that is made to it.
#include "picochat/evidence/bundle.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>

#include <functional>
#include <map>

#include "evidence/archive.hpp"
#include "evidence/finished_run.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "support/faulty_file_system.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::evidence {
namespace {

using base::cat;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Contents = std::map<std::string, std::string>;

Contents unpack(const Path& bundle) {
  Contents out;
  std::string name;
  read_archive(bundle, [&](const ArchiveEntry& entry) { out[name = entry.name]; }, [&](std::string_view piece) { out[name] += piece; });
  return out;
}

void pack(const Path& bundle, const Contents& contents) {
  ArchiveWriter writer(base::real_file_system(), bundle);
  for (const auto& [name, bytes] : contents) {
    writer.begin_entry(name, bytes.size());
    writer.append(bytes);
  }
  writer.publish();
}

class Bundle : public ::testing::Test {
 protected:
  test::TemporaryFolder folder_;
  FinishedRun run_{folder_.path() / "run-1"};
  Path out_ = folder_.path() / "run-1.tgz";

  base::CommandOutput write(bool strict = true) { return write_bundle(base::real_file_system(), {.run_dir = run_.dir.string(), .out = out_.string(), .strict = strict}, {}); }

  // The files that `run verify` names, after `change` was made to the archive's contents.
  std::vector<std::string> named_after(const std::function<void(Contents&)>& change) {
    Contents contents = unpack(out_);
    change(contents);
    const Path changed = folder_.path() / "changed.tgz";
    pack(changed, contents);
    return named(changed);
  }
  static std::vector<std::string> named(const Path& target) {
    const auto output = verify({.target = target.string()});
    std::vector<std::string> names;
    for (const auto& problem : output.json.at("problems")) names.push_back(problem.at("file"));
    EXPECT_EQ(output.json.at("status") == "verified", names.empty());
    return names;
  }
};

TEST_F(Bundle, StrictBundleOfAFinishedRunHoldsTheNineArtifactsAndVerifies) {
  const auto output = write();
  EXPECT_EQ(output.json.at("required_artifacts").size(), 9u);
  EXPECT_EQ(output.json.at("missing_expected"), Json::array()) << output.text;
  EXPECT_THAT(named(out_), IsEmpty());
  EXPECT_THAT(named(run_.dir), IsEmpty());
}

TEST_F(Bundle, SameRunGivesSameBytes) {
  write();
  const auto first = base::sha256_file(out_);
  write();
  EXPECT_EQ(base::sha256_file(out_), first);
}

TEST_F(Bundle, StrictNamesEachMissingArtifactAndWritesNothing) {
  const std::map<std::string, std::string> removed{{"git_commit", "summary.json"}, {"dataset_pack", "inputs/dataset_pack.json"}, {"preflight_report", "preflight.json"},
                                                   {"training_curves", "sft/sft_report.json"}, {"honesty_report", "honesty/honesty_report.json"},
                                                   {"internal_eval_report", "eval/eval_report.json"}, {"external_benchmark_report", "external_eval/arc-easy/eval_report.json"},
                                                   {"release_gate", "gate/gate.json"}, {"hf_export_and_model_card", "export/README.md"}};
  for (const auto& [artifact, file] : removed) {
    const std::string bytes = base::read_file(run_.dir / file);
    std::filesystem::remove(run_.dir / file);
    try {
      write();
      ADD_FAILURE() << file << " was not missed";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kBlocked);
      EXPECT_THAT(error.details().found, HasSubstr(cat(artifact, " is missing")));
      EXPECT_THAT(error.details().found, HasSubstr("-> "));
    }
    EXPECT_FALSE(std::filesystem::exists(out_));
    put(run_.dir / file, bytes);
  }
  EXPECT_EQ(write().json.at("missing_expected"), Json::array());
}

TEST_F(Bundle, WithoutStrictItSaysWhatItLacks) {
  std::filesystem::remove_all(run_.dir / "external_eval");
  const auto output = write(false);
  EXPECT_THAT(output.json.at("missing_expected"), Contains("external_benchmark_report"));
  EXPECT_THAT(output.text, HasSubstr("--external-eval"));
}

TEST_F(Bundle, StrictRefusesACommitWithLocalChanges) {
  Json summary = base::read_json(run_.dir / "summary.json");
  summary["build"]["git_dirty"] = true;
  put(run_.dir / "summary.json", summary);
  EXPECT_THROW(write(), base::Error);
}

TEST_F(Bundle, RemovingOrChangingAnyFileIsNamed) {
  write();
  const Contents whole = unpack(out_);
  for (const auto& [path, bytes] : whole) {
    const std::string name = path.substr(path.find('/') + 1);
    EXPECT_THAT(named_after([&](Contents& c) { c.erase(path); }), Contains(name));
    if (name == "SHA256SUMS") continue;  // a changed digest is named by the file that it belongs to
    EXPECT_THAT(named_after([&](Contents& c) { c[path].back() ^= 1; }), Contains(name)) << name;
  }
}

TEST_F(Bundle, AnUnlistedFileIsNamed) {
  write();
  EXPECT_THAT(named_after([](Contents& c) { c["run-1/eval/other.json"] = "{}"; }), Contains("eval/other.json"));
}

// Somebody who edits a report and then mends every list of digests.
TEST_F(Bundle, AnEditedReportIsFoundThoughAllDigestsWereMended) {
  write();
  auto mend = [](Contents& c) {
    Json manifest = base::parse_json(c.at("run-1/bundle_manifest.json"), "manifest");
    for (auto& file : manifest["included_files"]) file["sha256"] = base::sha256(c.at(cat("run-1/", file.at("path").get<std::string>()))).hex();
    c["run-1/bundle_manifest.json"] = base::dump(manifest) + "\n";
    std::string sums;
    for (const auto& [path, bytes] : c)
      if (path != "run-1/SHA256SUMS") sums += cat(base::sha256(bytes).hex(), "  ", path.substr(6), "\n");
    c["run-1/SHA256SUMS"] = sums;
  };
  auto edited = [&](const std::string& file, const std::string& from, const std::string& to) {
    return named_after([&](Contents& c) {
      auto& bytes = c.at(cat("run-1/", file));
      ASSERT_THAT(bytes, HasSubstr(from));
      bytes = base::replace_all(bytes, from, to);
      mend(c);
    });
  };
  EXPECT_THAT(edited("eval/eval_report.json", "\"num_passed\": 90", "\"num_passed\": 99"), Contains("gate/gate_evidence.json"));
  EXPECT_THAT(edited("honesty/honesty_report.json", "\"clean\"", "\"spotless\""), Contains("gate/gate_evidence.json"));
  EXPECT_THAT(edited("gate/gate.json", "\"status\": \"", "\"status\": \"not "), Contains("gate/gate.json"));
  EXPECT_THAT(edited("tokenizer.json", "BPE", "WordPiece"), Contains("tokenizer.json"));
  EXPECT_THAT(edited("sft/checkpoint/model.safetensors", "ssss", "sssx"), Contains("sft/checkpoint/model.safetensors"));
}

TEST_F(Bundle, ASwappedCheckpointIsFound) {
  checkpoint(run_.dir / "sft/checkpoint", std::string(5000, 'x'), run_.tokenizer);
  try {
    write();
    ADD_FAILURE() << "a strict bundle took another checkpoint";
  } catch (const base::Error& error) {
    EXPECT_THAT(error.details().found, HasSubstr("about another checkpoint"));
  }
  EXPECT_THAT(named(run_.dir), Contains("sft/checkpoint"));
}

TEST_F(Bundle, HostileArchivesAreRefused) {
  const Path bundle = folder_.path() / "hostile.tgz";
  auto refused = [&](const Contents& contents) {
    pack(bundle, contents);
    try {
      verify({.target = bundle.string()});
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
      return error.details().found + error.details().what;
    }
    return std::string("taken");
  };
  EXPECT_THAT(refused({{"run/../../etc/passwd", "x"}}), HasSubstr("leaves the archive"));
  EXPECT_THAT(refused({{"/etc/passwd", "x"}}), HasSubstr("absolute"));
  EXPECT_THAT(refused({{"a/x", "x"}, {"b/x", "x"}}), HasSubstr("no bundle"));
}

// Values of types that no report has: a problem of the file, not a fault of the program.
TEST_F(Bundle, ReportsOfAnotherShapeAreDamage) {
  write();
  for (const std::string file : {"bundle_manifest.json", "summary.json", "gate/gate.json", "gate/gate_evidence.json", "sft/checkpoint/manifest.json", "inputs/inputs.json", "eval/eval_report.json"})
    for (const char* shape : {"[1]", "3", "null", R"({"kind": 3, "files": [{"path": 4}], "included_files": [7], "artifacts": {"a": {"sha256": 1, "path": []}}, "checkpoint": "x", "status": {}, "profile": "release"})"}) {
      const auto names = named_after([&](Contents& c) { c.at("run-1/" + file) = shape; });
      EXPECT_THAT(names, Contains(file)) << shape;
    }
}

TEST_F(Bundle, LinksInAnArchiveAreRefused) {
  const Path bundle = folder_.path() / "link.tgz";
  archive* out = archive_write_new();
  archive_write_set_format_pax_restricted(out);
  archive_write_add_filter_gzip(out);
  ASSERT_EQ(archive_write_open_filename(out, bundle.c_str()), ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, "run/summary.json");
  archive_entry_set_filetype(entry, AE_IFLNK);
  archive_entry_set_symlink(entry, "/etc/passwd");
  archive_write_header(out, entry);
  archive_entry_free(entry);
  archive_write_close(out);
  archive_write_free(out);
  EXPECT_THROW(verify({.target = bundle.string()}), base::Error);
}

TEST_F(Bundle, ATruncatedArchiveIsDamagedWhereverItIsCut) {
  write();
  const std::string bytes = base::read_file(out_);
  for (const double share : {0.0, 0.1, 0.5, 0.9, 0.999}) {
    const Path cut = folder_.path() / "cut.tgz";
    put(cut, bytes.substr(0, static_cast<size_t>(share * static_cast<double>(bytes.size()))));
    EXPECT_THROW(verify({.target = cut.string()}), base::Error) << share;
  }
}

TEST_F(Bundle, AFullDiskLeavesNoArchive) {
  for (int n = 0;; ++n) {
    test::FaultyFileSystem files(n);
    bool failed = false;
    try {
      write_bundle(files, {.run_dir = run_.dir.string(), .out = out_.string()}, {});
    } catch (const base::Error&) {
      failed = true;
    }
    if (!failed) break;
    ASSERT_LT(n, 1000);
    if (std::filesystem::exists(out_)) {
      EXPECT_THAT(named(out_), IsEmpty());  // whole, or not there
    }
  }
}

TEST_F(Bundle, LargePartsAreLeftOutUnlessAsked) {
  put(run_.dir / "base/token_shards/tokens.bin", std::string(100, 't'));
  put(run_.dir / "sft/last_checkpoint/model.safetensors", std::string(100, 'l'));
  write();
  EXPECT_FALSE(unpack(out_).contains("run-1/base/token_shards/tokens.bin"));
  EXPECT_FALSE(unpack(out_).contains("run-1/sft/last_checkpoint/model.safetensors"));
  const auto output = write_bundle(base::real_file_system(), {.run_dir = run_.dir.string(), .out = out_.string(), .include_token_shards = true, .checkpoints = "all"}, {});
  EXPECT_TRUE(unpack(out_).contains("run-1/base/token_shards/tokens.bin"));
  EXPECT_TRUE(unpack(out_).contains("run-1/sft/last_checkpoint/model.safetensors"));
  EXPECT_EQ(output.json.at("excluded_large"), Json::object());
}

}  // namespace
}  // namespace picochat::evidence
