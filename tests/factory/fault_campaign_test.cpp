// Every operation that writes, failed, torn and killed at its n-th step on disk; every kind of artifact with a bit
// flipped and cut short. Nothing that was there before is lost, nothing damaged is used, and the same command
// ends with the bytes of an undisturbed one. Sampled; whole with PICOCHAT_LONG_TESTS, which takes hours on two cores:
// PICOCHAT_FAULT_TABLE=FILE then gets the tables of docs/reliability.md.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <optional>

#include "factory/fault_campaign.hpp"
#include "picochat/base/json.hpp"
#include "picochat/corpus/hf_import.hpp"
#include "picochat/corpus/manifest.hpp"
#include "picochat/corpus/source_record.hpp"
#include "picochat/evidence/bundle.hpp"
#include "picochat/exporter/export_gguf.hpp"
#include "picochat/exporter/export_hf.hpp"
#include "picochat/exporter/import_hf.hpp"
#include "picochat/factory/bundle_run.hpp"
#include "picochat/factory/run_tiny.hpp"
#include "picochat/factory/train_commands.hpp"
#include "picochat/tokenizer/commands.hpp"
#include "support/faulty_file_system.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::factory::campaign {
namespace {

using base::cat;
using base::FileSystem;
using base::Json;
using test::DiskFault;
using test::FaultyFileSystem;
using test::TemporaryFolder;

bool whole() { return std::getenv("PICOCHAT_LONG_TESTS") != nullptr; }
// On a machine that has no hours: a multiple of the step between operations.
int every() {
  const char* given = std::getenv("PICOCHAT_FAULT_EVERY");
  return given ? std::max(1, std::atoi(given)) : 1;
}
const std::pair<DiskFault, const char*> kFaults[] = {
    {DiskFault::kFull, "disk full"}, {DiskFault::kBroken, "disk error"}, {DiskFault::kTorn, "torn"}, {DiskFault::kKilled, "killed"}};

// An operation of the program: all that it leaves is in `out`, which it may find as an earlier try left it.
struct Operation {
  std::string name;
  std::function<void(FileSystem&, const fs::path& out)> run;
  int cases = 5;       // of each fault, when sampled
  int whole_step = 1;  // else: every so many operations
};

// Made once for all cases: a corpus, a tokenizer, a finished run.
class FaultCampaign : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    given_ = new TemporaryFolder;
    std::string rows;
    for (int i = 0; i < 200; ++i)
      rows += Json{{"text", cat("Lesson ", i, ". Rivers carry sand and stones from the hills to the sea; lesson ", i * i, " asks how far a grain of size ", i % 17, " travels in ", i % 23, " days.")}}.dump() + "\n";
    given_->write("texts/lessons.jsonl", rows);
    train_tokenizer(base::real_file_system(), given("tokenizer.json"));
  }
  // A finished run, its export and its bundle, for those that need them.
  static void make_run() {
    if (fs::exists(given("bundle.tgz"))) return;
    run_everything(base::real_file_system(), given("run"));
    exporter::export_hf(base::real_file_system(), export_options(given("export")));
    bundle_run(base::real_file_system(), {.run_dir = given("run"), .out = given("bundle.tgz")});
  }
  static void TearDownTestSuite() {
    if (const char* path = std::getenv("PICOCHAT_FAULT_TABLE"))
      base::write_file(base::real_file_system(), path,
                       cat(operations_.markdown("operation", {"stopped with exit code 5, nothing changed", "went on, and ended right", "ended right, a copy that is not needed stays", "lost or damaged"}), "\n",
                           damages_.markdown("artifact", {"refused, the file named", "made again", "no effect", "used"})));
    delete given_;
  }

  static std::string given(const std::string& name) { return (given_->path() / name).string(); }
  static void train_tokenizer(FileSystem& files, const fs::path& out) { tokenizer::tok_train(files, {.input = given("texts/lessons.jsonl"), .out = out.string(), .vocab_size = 300, .threads = 1}); }
  static void train_base(FileSystem& files, const fs::path& out) {
    TrainBaseOptions options;
    train_base_options().merge(options, {{"corpus", given("texts")}, {"tokenizer", given("tokenizer.json")}, {"out_dir", out.string()}, {"max_steps", 6}, {"context_size", 32}, {"n_embd", 32}, {"n_head", 2},
                                         {"n_layer", 1}, {"batch_size", 4}, {"checkpoint_every_steps", 2}, {"log_every", 3}, {"threads", 1}}, "test");
    train_base_command(files, options);
  }
  static void run_everything(FileSystem& files, const fs::path& out) {
    const auto resolved = gate::resolve_run_options({{"scale", "tiny-cpu"}, {"corpus_input", given("texts")}, {"out_dir", out.string()}, {"tokenizer_vocab_size", 300}, {"context_size", 64}, {"n_embd", 32}, {"n_head", 2},
                                                     {"n_kv_head", 2}, {"n_layer", 1}, {"base_steps", 4}, {"sft_steps", 2}, {"base_batch_size", 4}, {"sft_batch_size", 2}, {"val_tokens", 512},
                                                     {"sft_fit_max_rows", 2}, {"eval_max_new_tokens", 1}, {"checkpoint_every_steps", 2}, {"threads", 1}, {"allow_unsafe_long_run", true}});
    run_tiny(files, resolved, "picochat run tiny");
  }
  static exporter::ExportHfOptions export_options(const fs::path& out) {
    exporter::ExportHfOptions options;
    options.checkpoint = given("run/sft/checkpoint"), options.tokenizer = given("run/tokenizer.json"), options.out_dir = out.string(), options.license = "mit", options.model_name = "model";
    return options;
  }
  static void import_documents(FileSystem& files, const fs::path& out) {
    corpus::ImportOptions options{.dataset = given("texts"), .out = (out / "corpus.txt").string()};
    options.document_shard_rows = 40, options.jobs = 1;
    corpus::hf_import(files, options);
  }

  // One fault at operation n, then the same command on a sound disk.
  static void disturb(const Operation& operation, int n, DiskFault fault, const char* name, const Files& want) {
    const std::string place = cat(operation.name, ", ", name, " at operation ", n);
    TemporaryFolder folder;
    const fs::path out = folder / "out";
    std::string outcome = "went on, and ended right", problem;
    try {
      FaultyFileSystem files(n, fault);
      operation.run(files, out);
      problem = difference(want, files_in(out));
    } catch (const base::Error& error) {
      outcome = "stopped with exit code 5, nothing changed";
      EXPECT_EQ(error.code(), base::ExitCode::kEnvironment) << place << ": " << error.what();
      EXPECT_NE(error.details().where.find("/picochat-test-"), std::string::npos) << place << " does not name the file: " << error.what();
      problem = broken_artifact(out);
      if (problem.empty()) {
        try {
          operation.run(base::real_file_system(), out);
        } catch (const base::Error& again) {
          problem = cat("the same command again: ", again.what());  // unless all was done: see below
        }
        const std::string differs = difference(want, files_in(out));
        if (differs.empty()) problem.clear();
        else if (problem.empty()) problem = differs;
      }
    }
    // Nobody reads what is left of copies that were on their way out.
    if (problem.ends_with("was left behind")) outcome = "ended right, a copy that is not needed stays", problem.clear();
    EXPECT_EQ(problem, "") << place;
    ++operations_.count(operation.name, name, problem.empty() ? outcome : "lost or damaged");
  }

  static void disturb(const Operation& operation) {
    TemporaryFolder folder;
    FaultyFileSystem counting;
    operation.run(counting, folder / "a/out");
    operation.run(base::real_file_system(), folder / "b/out");
    const Files want = agreed(files_in(folder / "a/out"), files_in(folder / "b/out"));
    ASSERT_FALSE(want.empty()) << operation.name;
    std::cout << operation.name << ": " << counting.operations() << " operations on disk\n";
    const int step = whole() ? operation.whole_step * every() : std::max(1, counting.operations() / operation.cases);
    int shift = 0;
    for (const auto& [fault, name] : kFaults)
      for (int n = (shift++ * step) / 4; n < counting.operations(); n += step) disturb(operation, n, fault, name, want);
  }

  // Bytes with one bit flipped or cut short, at sampled places.
  static std::vector<std::pair<const char*, std::string>> damaged(const std::string& bytes) {
    std::vector<std::pair<const char*, std::string>> all;
    const int cases = whole() ? 24 : 1;
    for (int i = 0; i < cases && !bytes.empty(); ++i) {
      const size_t at = bytes.size() * (2 * static_cast<size_t>(i) + 1) / (2 * static_cast<size_t>(cases));
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << (i % 8)));
      all.emplace_back("bit flipped", flipped);
      all.emplace_back("cut short", bytes.substr(0, at));
    }
    return all;
  }

  // Does an error name the damaged file, or the folder it is part of?
  static bool names(const std::string& error, const fs::path& copy, const fs::path& file) {
    if (error.find(file.filename().string()) != std::string::npos) return true;
    for (fs::path part = file.parent_path(); !part.empty(); part = part.parent_path())
      if (error.find((copy / part).string()) != std::string::npos) return true;
    return false;
  }

  // Damages every file of `folder` but `spared`, one at a time, in a copy that `use` works in: it may refuse, or make the
  // file again. `result` is what the user gets.
  static void damage(const std::string& artifact, const fs::path& folder, const std::function<void(const fs::path& copy)>& use, const std::function<Files(const fs::path& copy)>& result, const std::string& spared = ".lock") {
    TemporaryFolder place;
    const auto fresh = [&](const fs::path& copy) {
      fs::remove_all(copy);
      fs::copy(folder, copy, fs::copy_options::recursive);
    };
    Files wanted[2];
    for (int i = 0; i < 2; ++i) {
      fresh(place / "copy");
      use(place / "copy");
      wanted[i] = result(place / "copy");
    }
    const Files want = agreed(wanted[0], wanted[1]);
    for (const auto& file : base::list_files(folder)) {
      if (file.filename() == spared || file.filename() == ".lock") continue;
      for (const auto& [fault, bytes] : damaged(base::read_file(folder / file))) {
        fresh(place / "copy");
        place.write("copy/" + file.generic_string(), bytes);
        std::string outcome;
        try {
          use(place / "copy");
          const std::string differs = difference(want, result(place / "copy"));
          outcome = !differs.empty() ? "used" : base::read_file(place / "copy" / file) == bytes ? "no effect" : "made again";
          EXPECT_NE(outcome, "used") << artifact << ": " << file << ", " << fault << ": " << differs;
        } catch (const base::Error& error) {
          outcome = "refused, the file named";
          EXPECT_TRUE(error.code() == base::ExitCode::kBadInput || error.code() == base::ExitCode::kUsage) << artifact << ": " << file << ": " << error.what();
          EXPECT_TRUE(names(error.what(), place / "copy", file)) << artifact << ": " << file << ", " << fault << " is not named: " << error.what();
        }
        ++damages_.count(artifact, fault, outcome);
      }
    }
  }

  static inline TemporaryFolder* given_ = nullptr;
  static inline Table operations_, damages_;
};

TEST_F(FaultCampaign, TokenizerAndImport) {
  disturb({"tok train", [](FileSystem& files, const fs::path& out) { train_tokenizer(files, out / "tokenizer.json"); }});
  disturb({"data hf-import", import_documents});
}

TEST_F(FaultCampaign, ShardsAndCheckpoints) { disturb({"train base", train_base, 8}); }

TEST_F(FaultCampaign, BundleAndExports) {
  make_run();
  disturb({"run bundle", [](FileSystem& files, const fs::path& out) {
             fs::create_directories(out);
             bundle_run(files, {.run_dir = given("run"), .out = (out / "bundle.tgz").string()});
           }, 3});
  disturb({"export hf", [](FileSystem& files, const fs::path& out) { exporter::export_hf(files, export_options(out)); }});
  disturb({"import hf", [](FileSystem& files, const fs::path& out) { exporter::import_hf(files, {.model = given("export"), .out_dir = out.string()}); }});
  disturb({"export gguf", [](FileSystem& files, const fs::path& out) {
             fs::create_directories(out);
             exporter::export_gguf(files, {.checkpoint = given("run/sft/checkpoint"), .tokenizer = given("run/tokenizer.json"), .out = (out / "model.gguf").string()});
           }});
}

TEST_F(FaultCampaign, AWholeRun) { disturb({"run tiny", run_everything, 1, 16}); }

TEST_F(FaultCampaign, DamageToAnUnfinishedTraining) {
  TemporaryFolder folder;
  FaultyFileSystem counting;
  train_base(counting, folder / "whole");
  FaultyFileSystem killed(counting.operations() * 6 / 10, DiskFault::kKilled);
  EXPECT_THROW(train_base(killed, folder / "killed/base"), base::Error);
  EXPECT_FALSE(fs::is_empty(folder / "killed/base/resume_checkpoint"));
  damage("unfinished training", folder / "killed", [](const fs::path& copy) { train_base(base::real_file_system(), copy / "base"); }, files_in);
}

// The same command does not read a finished import again; the preflight of a run compares every document file with its report.
TEST_F(FaultCampaign, DamageToAnImport) {
  TemporaryFolder folder;
  import_documents(base::real_file_system(), folder / "import/out");
  const auto read = [](const fs::path& copy) {
    import_documents(base::real_file_system(), copy / "out");
    const auto corpus = corpus::Corpus::open({.input = (copy / "out/documents").string()});
    const auto records = corpus::source_records(corpus, corpus::manifest_json(corpus.scan(1)));
    if (!records.at(0).provenance_complete()) throw base::bad_input({.what = records[0].problem, .where = (copy / "out").string()});
  };
  damage("imported documents", folder / "import", read, files_in, "corpus.txt");
}

TEST_F(FaultCampaign, DamageToWhatLeavesARun) {
  make_run();
  TemporaryFolder folder;
  const auto copy_of = [&](const std::string& what, const std::string& name) {
    fs::create_directories((folder / name).parent_path());
    fs::copy(given(what), folder / name, fs::copy_options::recursive);
  };
  copy_of("run/sft/checkpoint", "model/checkpoint");
  copy_of("run/tokenizer.json", "model/tokenizer.json");
  const auto export_it = [](const fs::path& copy) {
    auto options = export_options(copy / "export");
    options.checkpoint = (copy / "checkpoint").string(), options.tokenizer = (copy / "tokenizer.json").string();
    exporter::export_hf(base::real_file_system(), options);
  };
  damage("checkpoint and tokenizer", folder / "model", export_it, [](const fs::path& copy) { return files_in(copy / "export"); });

  copy_of("export", "exported/export");
  const auto import_it = [](const fs::path& copy) { exporter::import_hf(base::real_file_system(), {.model = (copy / "export").string(), .out_dir = (copy / "imported").string()}); };
  damage("exported folder", folder / "exported", import_it, [](const fs::path& copy) { return files_in(copy / "imported"); });

  copy_of("bundle.tgz", "bundles/bundle.tgz");
  const auto verify_it = [](const fs::path& copy) {
    const auto found = evidence::verify({.target = (copy / "bundle.tgz").string()});
    if (found.json.at("status") != "verified") throw base::bad_input({.what = found.text, .where = (copy / "bundle.tgz").string()});
  };
  damage("bundle", folder / "bundles", verify_it, [](const fs::path&) { return Files{{"verified", "yes"}}; });
}

// Whatever works in a folder of its own has it alone: a second process is told, and touches nothing.
TEST_F(FaultCampaign, TwoProcessesInOneFolder) {
  make_run();
  TemporaryFolder folder;
  const auto bundle = [&](FileSystem& files, const fs::path& out) { bundle_run(files, {.run_dir = out.string(), .out = (folder / "bundle.tgz").string()}); };
  struct Command {
    std::string name;
    std::function<void(FileSystem&, const fs::path&)> run;
    std::string works_in = "";
  };
  for (const Command& command : {Command{"data hf-import", import_documents, "documents"}, {"train base", train_base}, {"run tiny", run_everything}, {"run bundle", bundle}}) {
    const std::string& name = command.name;
    const fs::path out = folder / base::replace_all(name, " ", "-");
    if (command.works_in.empty()) fs::copy(given("run"), out, fs::copy_options::recursive);
    else command.run(base::real_file_system(), out);
    const Files before = files_in(out);
    const base::DirectoryLock first(out / command.works_in);
    std::string said;
    try {
      command.run(base::real_file_system(), out);
    } catch (const base::Error& error) {
      said = error.what();
      EXPECT_EQ(error.code(), base::ExitCode::kEnvironment) << name << ": " << said;
    }
    EXPECT_NE(said.find("another process"), std::string::npos) << name << ": " << said;
    EXPECT_NE(said.find(out.string()), std::string::npos) << name << ": " << said;
    EXPECT_EQ(difference(before, files_in(out)), "") << name;
  }
  EXPECT_FALSE(fs::exists(folder / "bundle.tgz"));
}

// What the fakes above stand for: the errors of a real full disk.
TEST(FullDisk, NamesTheFileAndWhatToDo) {
  try {
    base::real_file_system().open_append("/dev/full")->append("bytes");
    FAIL() << "the device is never full";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kEnvironment);
    EXPECT_EQ(error.details().where, "/dev/full");
    EXPECT_NE(error.details().remedy.find("free some space"), std::string::npos);
  }
}

}  // namespace
}  // namespace picochat::factory::campaign
