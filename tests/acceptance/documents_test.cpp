// Every command that README, docs and the founding runbook tell a reader to type is run as it is
// written, or is named below with the test that runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <regex>
#include <set>

#include "acceptance/documents.hpp"
#include "picochat/base/json.hpp"
#include "support/hub_server.hpp"

namespace picochat::acceptance {
namespace {

namespace fs = std::filesystem;
using base::cat;
using base::Json;

struct Rule {
  const char* pattern;  // of the command, searched
  const char* value;
};

// All that is changed in a command before it is run: what this host lacks, and sizes.
const Rule kSubstitutions[] = {
    {"--device cuda", "--device cpu"},
    {"--precision bf16", "--precision float32"},
    {"--attn-backend flash", "--attn-backend auto"},
    {"--capacity-scale h100-100m", "--capacity-scale tiny-cpu"},
    {"(run tiny .*--scale [a-z0-9-]+)", "$1 --presets-dir small"},
    {"(picochat web)", "$1 --port 0"},
    {" --verify-with-python", ""},  // Export.TransformersAgrees
};

// Commands that another test runs.
const Rule kCovered[] = {
    {"^scripts/quickstart", "Demo.RunsTheTinyLaneThenOpensPageAndChat"},  // the same pack and run, without the build
    {"^scripts/test", "DocumentedCommands.OfScriptsAndToolsHaveFlagsThatExist"},        // it runs all of these
    {"^scripts/package", "Package.RunsFromAnotherFolderWithTheLibTorchOfTheHost"},
    {"^(cmake|ctest) |build/fuzz/bin/|build/tsan/", "DocumentedCommands.NameBuildPresetsAndTargetsThatExist"},  // as they built this test
    {"^PICOCHAT_LONG_TESTS=1 ", "FaultCampaign.BundleAndExports"},                          // takes half an hour
    {"^tools/", "DocumentedCommands.OfScriptsAndToolsHaveFlagsThatExist"},  // they need PyTorch, gigabytes or a GPU
    {"^picochat launch ", "Ranks.AKilledRankIsNamedAndCostsNoByte"},
    {"^scripts/dry_run", "Ranks.TheDryRunOfTheLargePresetEndsWithAVerdict"},
    {"^picochat data honesty --corpus big/corpus", "Planted.LeaksAreFoundAndCleanRowsAreNotAccused"},
    {"^picochat eval fetch", "FetchBenchmark.ArrivesAsItIsDistributedWithItsSource"},
    {"^picochat eval lm-harness", "LmHarness.AServerIsAskedWithATokenizerThatBeginsWithBos"},
};

// Commands that may end with another code than 0, and what they say then.
struct Ending {
  const char* pattern;
  std::vector<int> codes;
  const char* says;
};
const Ending kEndings[] = {
    {"^picochat doctor", {0, 5}, ""},                                                              // the host may lack something
    {"export hf .*--push-to-hub", {3}, "did not approve"},                                         // a model of four steps
    {"run tiny .*--scale h100-100m .*--long-run-gate-profile skill_release", {3}, "preflight: blocked"},  // 600 documents are too few
    {"run bundle .*--strict", {3}, "external_benchmark_report is missing"},
};

// What must be there before a command, where the commands above it cannot make it here.
const Rule kBefore[] = {
    {"run bundle +--run-dir runs/h100", "rm -rf runs/h100-smollm-100m-public-v1 && cp -r runs/mine runs/h100-smollm-100m-public-v1"},  // the preflight stopped the full run
};

// Where commands of the documents find what they name: a finished run under several names, rows, texts.
class Documents : public ::testing::Test {
 protected:
  Documents() : server_(hub_files(), "HuggingFaceTB/smollm-corpus") {
    ::setenv("HF_ENDPOINT", server_.endpoint().c_str(), 1);
    ::setenv("HF_HOME", (folder_ / "hf").c_str(), 1);
  }
  ~Documents() override {
    for (const char* name : {"HF_ENDPOINT", "HF_HOME"}) ::unsetenv(name);
  }

  static std::string lesson(int i) {
    return cat("Lesson ", i, ". Rivers carry sand and stones from the hills to the sea; lesson ", i * i, " asks how far a grain of size ", i % 17, " travels in ", i % 23,
               " days, and what happens when the water slows down. Then the class measures the bed of the brook, writes the numbers down, and compares them with last year's. At home each of them draws the river again, from memory, with its banks and islands.");
  }
  static std::map<std::string, std::string> hub_files() {
    std::map<std::string, std::string> files;
    std::string card = "---\nlicense: odc-by\nconfigs:\n";
    for (const std::string config : {"cosmopedia-v2", "fineweb-edu-dedup"}) {
      card += cat("- config_name: ", config, "\n  data_files:\n  - split: train\n    path: ", config, "/train-*\n");
      std::string rows;
      for (int i = 0; i < 300; ++i) rows += Json{{"text", cat(config, ": ", lesson(i))}}.dump() + "\n";
      files[config + "/train-00000-of-00001.jsonl"] = rows;
    }
    files["README.md"] = card + "---\n";
    return files;
  }

  // A preset of the same name, of a size that a test has time for.
  void shrink(const std::string& preset) {
    Json small = base::read_json(fs::path(kSourceDir) / "presets" / (preset + ".json"));
    small["values"].update(Json{{"tokenizer_vocab_size", 512}, {"context_size", 128}, {"n_embd", 64}, {"n_head", 4}, {"n_kv_head", 2}, {"n_layer", 2}, {"base_steps", 4}, {"base_batch_size", 4},
                                {"base_grad_accum_steps", 1}, {"sft_steps", 3}, {"sft_batch_size", 4}, {"val_tokens", 2048}, {"sft_fit_max_rows", 10}, {"eval_max_new_tokens", 4}});
    if (small["values"].contains("base_sequences_per_step")) small["values"]["base_sequences_per_step"] = 4;
    folder_.write(cat("small/", preset, ".json"), small.dump());
  }

  void prepare() {
    fs::create_directories(folder_ / "bin");
    fs::create_symlink(kProgram, folder_ / "bin/picochat");
    for (const char* preset : {"tiny-cpu", "h100-100m"}) shrink(preset);
    std::string rows, chat, eval, benchmark;
    for (int i = 0; i < 300; ++i) rows += Json{{"text", lesson(i)}}.dump() + "\n";
    for (int i = 0; i < 30; ++i) {
      chat += Json{{"user", cat("What does box ", i, " hold?")}, {"assistant", cat("Box ", i, " holds ", i * 3, " apples.")}, {"category", "identity"}}.dump() + "\n";
      eval += Json{{"user", cat("How many pears are in crate ", i, "?")}, {"must_include", {std::to_string(i * 5)}}, {"reference_answer", std::to_string(i * 5)}, {"category", "identity"}}.dump() + "\n";
      benchmark += Json{{"id", std::to_string(i)}, {"question", cat("Which of these is a colour, asked for the ", i, "th time?")},
                        {"choices", {{"text", {"green", "seven", "a table", "to run"}}, {"label", {"A", "B", "C", "D"}}}}, {"answerKey", "A"}}.dump() + "\n";
    }
    folder_.write("my-texts/lessons.jsonl", rows);
    folder_.write("documents/lessons.jsonl", rows);
    folder_.write("chat.jsonl", chat);
    folder_.write("eval.jsonl", eval);
    folder_.write("arc_easy.jsonl", benchmark);
    folder_.write("pack.json", Json{{"name", "pack"}, {"corpus", "documents"}, {"chat", "chat.jsonl"}, {"eval", "eval.jsonl"}}.dump());
    ASSERT_EQ(shell("mkdir -p logs runs && picochat run tiny --scale tiny-cpu --presets-dir small --corpus-input my-texts/ --out-dir runs/first && "
                    "cp -r runs/first runs/second && cp -r runs/first runs/quickstart && cp -r runs/first RUN && "
                    "picochat run bundle --run-dir runs/second --out second-bundle.tgz"), 0) << log();
    ASSERT_EQ(shell("picochat data init-pack --corpus my-texts/ --out pack"), 0) << log();
  }

  // In the folder, as a user would, with pipefail and nobody at the keyboard; the exit code.
  int shell(const std::string& command) {
    const auto script = folder_.write("script.sh", cat("set -o pipefail\nexport PATH=", (folder_ / "bin").string(), ":$PATH OMP_WAIT_POLICY=passive\ncd ", folder_.path().string(), "\n", command, "\n"));
    const int status = std::system(cat("bash ", script.string(), " > ", (folder_ / "log").string(), " 2>&1 < /dev/null").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // A command that serves until it is told to stop.
  int serve(const std::string& command) {
    return shell(cat(command, " & server=$!\nuntil grep -q http:// ", (folder_ / "log").string(), "; do kill -0 $server || break; sleep 0.05; done\nkill -INT $server; wait $server"));
  }
  std::string log() const { return read_all(folder_ / "log"); }

  TemporaryFolder folder_;
  test::HubServer server_;
};

std::string substituted(std::string command) {
  for (const auto& [pattern, value] : kSubstitutions) command = std::regex_replace(command, std::regex(pattern), value);
  return command;
}

const Rule* covering(const std::string& command) {
  for (const auto& rule : kCovered)
    if (std::regex_search(command, std::regex(rule.pattern))) return &rule;
  return nullptr;
}

// "Suite.Name" of every test in the sources.
std::set<std::string> all_tests() {
  std::set<std::string> names;
  const std::regex declaration(R"(TEST(?:_F|_P)?\((\w+), (\w+)\))");
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(kSourceDir) / "tests")) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string text = read_all(entry.path());
    for (std::sregex_iterator at(text.begin(), text.end(), declaration), end; at != end; ++at) names.insert(cat((*at)[1].str(), ".", (*at)[2].str()));
  }
  return names;
}

TEST_F(Documents, EveryCommandRunsAsWritten) {
  prepare();
  for (const auto& [place, text] : documented_commands()) {
    if (covering(text)) continue;
    Ending ending{"", {0}, ""};
    for (const auto& other : kEndings)
      if (std::regex_search(text, std::regex(other.pattern))) ending = other;
    const std::string command = substituted(text);
    for (const auto& [pattern, preparation] : kBefore)
      if (std::regex_search(text, std::regex(pattern))) {
        ASSERT_EQ(shell(preparation), 0) << place << log();
      }
    const auto started = std::chrono::steady_clock::now();
    const int code = command.starts_with("picochat web") || command.starts_with("picochat serve") ? serve(command) : shell(command);
    EXPECT_THAT(ending.codes, ::testing::Contains(code)) << place << ": " << command << "\nended with " << code << " and said:\n" << log();
    EXPECT_THAT(log(), ::testing::HasSubstr(ending.says)) << place;
    if (std::getenv("PICOCHAT_SHOW_DOCUMENTS")) std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count() << " s  " << code << "  " << place << "  " << command.substr(0, 100) << std::endl;
  }
}

TEST(DocumentedCommands, ThoseThatAreNotRunHereHaveATestOfTheirOwn) {
  const auto tests = all_tests();
  const auto commands = documented_commands();
  for (const auto& [pattern, name] : kCovered) {
    EXPECT_TRUE(tests.contains(name)) << name << " is no test";
    EXPECT_TRUE(std::any_of(commands.begin(), commands.end(), [&](const auto& command) { return std::regex_search(command.text, std::regex(pattern)); }))
        << "no document has a command like " << pattern << " any more: drop the line from the table";
  }
}

// Those that another test covers too: what it runs may have other flags than the document.
TEST(DocumentedCommands, OfScriptsAndToolsHaveFlagsThatExist) {
  const std::regex script(R"(^(scripts|tools)/\S+)"), flag(R"( (--[a-z-]+))");
  for (const auto& [place, text] : documented_commands()) {
    std::smatch name;
    if (!std::regex_search(text, name, script)) continue;
    const fs::path path = fs::path(kSourceDir) / name.str();
    ASSERT_TRUE(fs::exists(path)) << place << ": there is no " << name.str();
    EXPECT_NE(fs::status(path).permissions() & fs::perms::owner_exec, fs::perms::none) << place << ": " << name.str() << " cannot be run";
    const std::string source = read_all(path);
    for (std::sregex_iterator at(text.begin(), text.end(), flag), end; at != end; ++at)
      EXPECT_NE(source.find((*at)[1].str()), std::string::npos) << place << ": " << name.str() << " has no " << (*at)[1].str();
    const bool python = source.starts_with("#!/usr/bin/env python3");
    const std::string check = python ? cat("python3 -c 'compile(open(\"", path.string(), "\").read(), \"tool\", \"exec\")'") : cat("bash -n ", path.string());
    EXPECT_EQ(std::system(check.c_str()), 0) << place;
  }
}

TEST(DocumentedCommands, NameBuildPresetsAndTargetsThatExist) {
  const fs::path root = kSourceDir;
  const std::string known = read_all(root / "CMakePresets.json") + read_all(root / "cmake/PicochatRooms.cmake") + read_all(root / "cmake/PicochatTests.cmake") + read_all(root / "CMakeLists.txt");
  const std::regex named(R"((?:--preset |build/|--target |-R |bin/|tsan/)(\w+))");
  for (const auto& [place, text] : documented_commands()) {
    if (!text.starts_with("cmake ") && !text.starts_with("ctest ") && text.find("build/fuzz/") == std::string::npos && text.find("build/tsan/") == std::string::npos) continue;
    for (std::sregex_iterator at(text.begin(), text.end(), named), end; at != end; ++at) EXPECT_NE(known.find((*at)[1].str()), std::string::npos) << place << ": " << (*at)[1].str();
  }
}

// In blocks and in running text: `picochat run status runs/mine`.
TEST(DocumentedCommands, NameOnlyCommandsAndFlagsThatThereAre) {
  const TemporaryFolder folder;
  std::map<std::string, std::set<std::string>> flags;
  const Json interface = Json::parse(Program(folder.path()).run({"interface", "--json"}).output);
  for (const auto& command : interface.at("commands"))
    for (auto& known = flags[command.at("command")]; const auto& option : command.at("options"))
      for (const auto& name : option.at("flags")) known.insert(name.get<std::string>());
  int checked = 0;
  const auto check = [&](const std::string& place, const std::string& text) {
    std::string command;
    size_t at = 0;
    const auto words = base::split(text.substr(0, text.find_first_of("|>")), ' ');
    for (std::string path; at < words.size(); ++at) {
      path += (path.empty() ? "" : " ") + words[at];
      if (std::none_of(flags.begin(), flags.end(), [&](const auto& known) { return known.first == path || known.first.starts_with(path + " "); })) break;
      command = path;
    }
    if (words[0].starts_with("-") || words[0].empty()) return;  // --version, --help
    EXPECT_FALSE(command.empty()) << place << ": there is no command picochat " << text;
    if (!flags.contains(command)) {  // a group, alone or with something to fill in
      EXPECT_FALSE(at < words.size() && std::regex_match(words[at], std::regex("[a-z][a-z-]+"))) << place << ": there is no command picochat " << command << " " << words[at];
      return;
    }
    ++checked;
    for (; at < words.size() && words[at] != "--"; ++at) {
      const std::string flag = words[at].substr(0, words[at].find('='));
      EXPECT_TRUE(!flag.starts_with("--") || flags[command].contains(flag)) << place << ": picochat " << command << " has no " << flag;
    }
  };
  const std::regex in_text(R"(`picochat ([^`\n]+)`)"), in_block(R"(picochat ([a-z][^"\n]*))");
  for (const auto& path : documents()) {
    const std::string text = read_all(path);
    for (std::sregex_iterator at(text.begin(), text.end(), in_text), end; at != end; ++at) check(path.filename().string(), (*at)[1]);
  }
  for (const auto& [place, text] : documented_commands())
    if (std::smatch found; !text.starts_with("scripts/") && !text.starts_with("tools/") && std::regex_search(text, found, in_block)) check(place, found[1]);
  EXPECT_GT(checked, 60);
}

}  // namespace
}  // namespace picochat::acceptance
