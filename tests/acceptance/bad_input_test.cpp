// What a user does wrong: one clear message, the right exit code, nothing half-written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "program.hpp"

namespace picochat::acceptance {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class BadInput : public ::testing::Test {
 protected:
  BadInput() : program(folder.path()) {}
  std::string path(const std::string& name) const { return (folder.path() / name).string(); }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder.path() / name).parent_path());
    std::ofstream(folder.path() / name, std::ios::binary) << text;
  }
  void expect_refused(const std::vector<std::string>& arguments, int code, const ::testing::Matcher<std::string>& message) {
    const auto outcome = program.run(arguments);
    EXPECT_EQ(outcome.code, code) << outcome.errors;
    EXPECT_THAT(outcome.errors, AllOf(HasSubstr("error: "), message));
    EXPECT_THAT(outcome.errors, Not(HasSubstr("defect of picochat")));
  }
  TemporaryFolder folder;
  Program program;
};

TEST_F(BadInput, UnknownWordsAndFlagsSuggestTheNearest) {
  expect_refused({"runn"}, 2, HasSubstr("did you mean picochat run?"));
  expect_refused({"run"}, 2, HasSubstr("tiny"));
  expect_refused({}, 2, HasSubstr("run"));
  expect_refused({"run", "tiny", "--out-dri", "x"}, 2, HasSubstr("--out-dir"));
  expect_refused({"run", "tiny", "--corpus-input", "x"}, 2, HasSubstr("--out-dir is required"));
  expect_refused({"run", "tiny", "--out-dir", path("r"), "--base-steps", "many"}, 2, HasSubstr("--base-steps"));
  expect_refused({"run", "tiny", "--out-dir", path("r"), "--scale", "tiny-cpuu", "--corpus-input", "x"}, 2, HasSubstr("tiny-cpu"));
  expect_refused({"run", "tiny", "--out-dir", path("r"), "--device", "mps"}, 2, HasSubstr("mps"));
}

TEST_F(BadInput, HelpAndVersionAreNoErrors) {
  EXPECT_THAT(program.run({"--version"}).output, HasSubstr("picochat "));
  EXPECT_EQ(program.run({"--help"}).code, 0);
  const auto help = program.run({"run", "tiny", "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.output, HasSubstr("--base-learning-rate"));
}

TEST_F(BadInput, CorpusProblemsNameTheFile) {
  expect_refused({"run", "tiny", "--out-dir", path("r"), "--corpus-input", path("absent.txt")}, 4, HasSubstr("absent.txt"));
  write("empty.txt", "");
  expect_refused({"run", "tiny", "--out-dir", path("r1"), "--corpus-input", path("empty.txt")}, 4, HasSubstr("empty.txt"));
  std::string junk(3000, '\0');
  junk.replace(0, 4, "\x7f" "ELF");
  write("junk.txt", junk);
  expect_refused({"run", "tiny", "--out-dir", path("r2"), "--corpus-input", path("junk.txt")}, 4, HasSubstr("junk.txt"));
  write("short.txt", "Just a few words of text, far fewer than any context.");
  expect_refused({"run", "tiny", "--out-dir", path("r3"), "--corpus-input", path("short.txt"), "--context-size", "512"}, 4, HasSubstr("too small"));
}

TEST_F(BadInput, PackProblemsNameTheKey) {
  write("pack/dataset_pack.json", R"({"name": "x", "corpus": {"recipe": "r.json"}, "chatt": "c.jsonl", "eval": "e.jsonl"})");
  expect_refused({"run", "tiny", "--out-dir", path("r"), "--dataset-pack", path("pack/dataset_pack.json")}, 4, AllOf(HasSubstr("chatt"), HasSubstr("chat")));
  write("pack/dataset_pack.json", R"({"name": "x", "corpus": {"recipe": "r.json"}, "chat": "c.jsonl", "eval": "e.jsonl"})");
  expect_refused({"run", "tiny", "--out-dir", path("r"), "--dataset-pack", path("pack/dataset_pack.json")}, 4, HasSubstr("r.json"));
  write("pack/dataset_pack.json", "{\"name\": \"x\",\n \"corpus\" }");
  expect_refused({"run", "tiny", "--out-dir", path("r"), "--dataset-pack", path("pack/dataset_pack.json")}, 4, HasSubstr("dataset_pack.json:2"));
}

TEST_F(BadInput, AFolderThatIsNoRunIsLeftAlone) {
  write("photos/holiday.jpg", "not a run");
  write("text.txt", std::string(5000, 'a'));
  expect_refused({"run", "tiny", "--out-dir", path("photos"), "--corpus-input", path("text.txt")}, 4, HasSubstr("photos"));
  EXPECT_EQ(read_all(folder.path() / "photos/holiday.jpg"), "not a run");
  int entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "photos")) entries += entry.path().filename() != ".lock";
  EXPECT_EQ(entries, 1);
}

}  // namespace
}  // namespace picochat::acceptance
