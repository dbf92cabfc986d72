#include "picochat/base/file_system.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "picochat/base/error.hpp"
#include "support/faulty_file_system.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::base {
namespace {

namespace fs = std::filesystem;
using test::FaultyFileSystem;
using test::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> names_in(const Path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

template <typename Action>
std::optional<Error> error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

TEST(WriteFile, ReplacesTheContentAndMakesFolders) {
  TemporaryFolder folder;
  write_file(real_file_system(), folder / "a/b/report.json", "old");
  write_file(real_file_system(), folder / "a/b/report.json", std::string("new\0bytes", 9));
  EXPECT_EQ(folder.read("a/b/report.json"), std::string("new\0bytes", 9));
  EXPECT_THAT(names_in(folder / "a/b"), ElementsAre("report.json"));
}

TEST(WriteFile, AFailureAtAnyOperationLeavesTheOldOrTheNewContent) {
  FaultyFileSystem counter;
  TemporaryFolder counted;
  write_file(counter, counted / "summary.json", "new");
  ASSERT_GE(counter.operations(), 5);
  for (int n = 0; n < counter.operations(); ++n) {
    for (bool crash : {false, true}) {
      TemporaryFolder folder;
      folder.write("summary.json", "old");
      FaultyFileSystem files(n, crash);
      const auto error = error_of([&] { write_file(files, folder / "summary.json", "new"); });
      ASSERT_TRUE(error) << "operation " << n << " failed unnoticed";
      EXPECT_EQ(error->code(), ExitCode::kEnvironment);
      EXPECT_THAT(folder.read("summary.json"), ::testing::AnyOf("old", "new")) << "operation " << n;
    }
  }
}

TEST(WriteFile, AFailureLeavesNoTemporaryFileBehind) {
  TemporaryFolder folder;
  FaultyFileSystem files(2);  // folder, create, append
  EXPECT_TRUE(error_of([&] { write_file(files, folder / "summary.json", "new"); }));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(WriteFile, AFullDiskIsReportedWithPathAndRemedy) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "skipped: this system has no /dev/full";
  const auto error = error_of([] { real_file_system().create("/dev/full")->append("x"); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ExitCode::kEnvironment);
  EXPECT_EQ(error->details().where, "/dev/full");
  EXPECT_THAT(error->details().remedy, HasSubstr("free some space"));
}

TEST(ReadFile, ReturnsTheBytesOrSaysWhyNot) {
  TemporaryFolder folder;
  const std::string bytes = std::string("a\0b\r\n", 5) + std::string(200000, 'x');
  EXPECT_EQ(read_file(folder.write("file", bytes)), bytes);
  EXPECT_EQ(read_file(folder.write("empty", "")), "");
  const auto missing = error_of([&] { read_file(folder / "absent.json"); });
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->code(), ExitCode::kBadInput);
  EXPECT_EQ(missing->details().where, (folder / "absent.json").string());
  const auto is_folder = error_of([&] { read_file(folder.path()); });
  ASSERT_TRUE(is_folder);
  EXPECT_EQ(is_folder->details().found, "a folder");
}

void fill_checkpoint(FileSystem& files, const Path& folder) {
  for (const char* name : {"weights", "manifest.json"}) {
    auto file = files.create(folder / name);
    file->append(name);
    file->sync();
    file->close();
  }
}

TEST(PublishDirectory, AppearsWholeUnderItsName) {
  TemporaryFolder folder;
  publish_directory(real_file_system(), folder / "run/checkpoint", [&](const Path& temporary) {
    EXPECT_FALSE(fs::exists(folder / "run/checkpoint"));
    fill_checkpoint(real_file_system(), temporary);
  });
  EXPECT_EQ(folder.read("run/checkpoint/weights"), "weights");
  EXPECT_THAT(names_in(folder / "run"), ElementsAre("checkpoint"));
}

TEST(PublishDirectory, NeverReplacesAnExistingFolderNotEvenAnEmptyOne) {
  TemporaryFolder folder;
  fs::create_directories(folder / "checkpoint");
  const auto error = error_of([&] {
    publish_directory(real_file_system(), folder / "checkpoint",
                      [](const Path& temporary) { fill_checkpoint(real_file_system(), temporary); });
  });
  ASSERT_TRUE(error);
  EXPECT_TRUE(fs::is_empty(folder / "checkpoint"));
  EXPECT_THAT(names_in(folder.path()), ElementsAre("checkpoint"));
}

TEST(PublishDirectory, AFailureAtAnyOperationLeavesNothingOrTheWhole) {
  FaultyFileSystem counter;
  TemporaryFolder counted;
  publish_directory(counter, counted / "checkpoint", [&](const Path& temporary) { fill_checkpoint(counter, temporary); });
  ASSERT_GE(counter.operations(), 10);
  for (int n = 0; n < counter.operations(); ++n) {
    for (bool crash : {false, true}) {
      TemporaryFolder folder;
      FaultyFileSystem files(n, crash);
      ASSERT_TRUE(error_of([&] {
        publish_directory(files, folder / "checkpoint", [&](const Path& temporary) { fill_checkpoint(files, temporary); });
      })) << "operation " << n << " failed unnoticed";
      if (fs::exists(folder / "checkpoint")) {
        EXPECT_EQ(folder.read("checkpoint/manifest.json"), "manifest.json") << "operation " << n;
        EXPECT_EQ(folder.read("checkpoint/weights"), "weights");
      }
    }
  }
}

TEST(PublishDirectory, LeftoversOfACrashAreSweptAndNothingElse) {
  TemporaryFolder folder;
  folder.write("keep/weights", "x");
  folder.write("metrics.jsonl", "x");
  const pid_t child = ::fork();
  if (child == 0) {
    publish_directory(real_file_system(), folder / "checkpoint", [](const Path& temporary) {
      fill_checkpoint(real_file_system(), temporary);
      ::_exit(9);  // killed before the rename
    });
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(WEXITSTATUS(status), 9);
  ASSERT_EQ(names_in(folder.path()).size(), 3u);
  sweep_leftovers(real_file_system(), folder.path());
  EXPECT_THAT(names_in(folder.path()), ElementsAre("keep", "metrics.jsonl"));
  EXPECT_NO_THROW(sweep_leftovers(real_file_system(), folder / "absent"));
}

TEST(RemovePublished, ACrashNeverLeavesHalfAFolderUnderItsName) {
  for (int n = 0; n < 3; ++n) {
    TemporaryFolder folder;
    folder.write("checkpoint/weights", "w");
    folder.write("checkpoint/manifest.json", "m");
    FaultyFileSystem files(n, true);
    error_of([&] { remove_published(files, folder / "checkpoint"); });
    if (fs::exists(folder / "checkpoint")) {
      EXPECT_EQ(names_in(folder / "checkpoint").size(), 2u) << "operation " << n;
    }
    sweep_leftovers(real_file_system(), folder.path());
    EXPECT_EQ(names_in(folder.path()).size(), n == 0 ? 1u : 0u);
  }
}

TEST(MappedFile, ShowsTheBytesAndSurvivesAMove) {
  TemporaryFolder folder;
  MappedFile first(folder.write("shard.bin", "tokens"));
  MappedFile second(std::move(first));
  EXPECT_EQ(second.bytes(), "tokens");
  second = MappedFile(folder.write("other.bin", "other"));
  EXPECT_EQ(second.bytes(), "other");
  EXPECT_EQ(MappedFile(folder.write("empty", "")).bytes(), "");
}

TEST(MappedFile, WhatCannotBeMappedIsNamed) {
  TemporaryFolder folder;
  for (const Path& path : {folder / "absent", folder.path()}) {
    const auto error = error_of([&] { MappedFile file(path); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), ExitCode::kBadInput);
    EXPECT_EQ(error->details().where, path.string());
  }
}

TEST(DirectoryLock, ASecondProcessIsToldWhoHoldsIt) {
  TemporaryFolder folder;
  std::optional<DirectoryLock> lock(folder.path());
  const pid_t child = ::fork();
  if (child == 0) {
    const auto error = error_of([&] { DirectoryLock second(folder.path()); });
    const std::string holder = "process " + std::to_string(::getppid());
    ::_exit(error && error->code() == ExitCode::kEnvironment && error->details().found == holder ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  lock.reset();
  EXPECT_NO_THROW(DirectoryLock again(folder.path()));
}

TEST(ListFiles, AreRelativeSortedAndRegular) {
  TemporaryFolder folder;
  for (const char* name : {"b/2.txt", "a.txt", "b/10.txt"}) folder.write(name, "x");
  fs::create_directories(folder / "empty");
  EXPECT_THAT(list_files(folder.path()), ElementsAre("a.txt", "b/10.txt", "b/2.txt"));
}

}  // namespace
}  // namespace picochat::base
