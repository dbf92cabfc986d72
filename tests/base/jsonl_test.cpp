#include "picochat/base/jsonl.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "picochat/base/error.hpp"
#include "support/faulty_file_system.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::base {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

std::vector<std::pair<std::string, int64_t>> lines_of(std::string_view bytes) {
  std::vector<std::pair<std::string, int64_t>> lines;
  for_each_line(bytes, [&](std::string_view text, int64_t number) {
    lines.emplace_back(text, number);
    return true;
  });
  return lines;
}

TEST(Lines, AreSplitWithOrWithoutALastNewline) {
  EXPECT_THAT(lines_of(""), ElementsAre());
  EXPECT_THAT(lines_of("a\nb"), ElementsAre(Pair("a", 1), Pair("b", 2)));
  EXPECT_THAT(lines_of("a\r\n\nb\n"), ElementsAre(Pair("a", 1), Pair("", 2), Pair("b", 3)));
}

TEST(Jsonl, ReadsRowsWithTheirLineNumbersAndSkipsBlankLines) {
  test::TemporaryFolder folder;
  const auto path = folder.write("rows.jsonl", "{\"n\":1}\n\n  \t\n{\"n\":2}\r\n{\"n\":3}");
  std::vector<std::pair<int64_t, int64_t>> rows;
  read_jsonl(path, [&](const Json& row, int64_t line) {
    rows.emplace_back(row.at("n").get<int64_t>(), line);
    return true;
  });
  EXPECT_THAT(rows, ElementsAre(Pair(1, 1), Pair(2, 4), Pair(3, 5)));
}

TEST(Jsonl, StopsWhenAsked) {
  test::TemporaryFolder folder;
  int rows = 0;
  read_jsonl(folder.write("rows.jsonl", "1\n2\nnot json"), [&](const Json&, int64_t) { return ++rows < 2; });
  EXPECT_EQ(rows, 2);
}

TEST(Jsonl, ABadRowIsNamedByLine) {
  test::TemporaryFolder folder;
  for (const char* row : {"{\"n\":", "{\"a\":1,\"a\":2}", "1e999"}) {
    const auto path = folder.write("rows.jsonl", std::string("{}\n{}\n") + row + "\n{}\n");
    try {
      read_jsonl(path, [](const Json&, int64_t) { return true; });
      FAIL() << row;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::kBadInput);
      EXPECT_EQ(error.details().where, path.string() + ":3");
    }
  }
}

TEST(JsonlAppender, ALineIsReadableAsSoonAsItIsAppended) {
  test::TemporaryFolder folder;
  JsonlAppender log(real_file_system(), folder / "logs/metrics.jsonl");
  log.append({{"step", 1}});
  EXPECT_EQ(folder.read("logs/metrics.jsonl"), "{\"step\":1}\n");
  log.append({{"step", 2}});
  EXPECT_EQ(folder.read("logs/metrics.jsonl"), "{\"step\":1}\n{\"step\":2}\n");
}

TEST(JsonlAppender, ALineThatACrashCutIsDroppedOnOpening) {
  test::TemporaryFolder folder;
  for (const char* before : {"{\"step\":1}\n{\"st", "{\"step\":1}\n"}) {
    const auto path = folder.write("metrics.jsonl", before);
    JsonlAppender(real_file_system(), path).append({{"step", 2}});
    EXPECT_EQ(folder.read("metrics.jsonl"), "{\"step\":1}\n{\"step\":2}\n");
  }
  const auto path = folder.write("metrics.jsonl", "{\"st");
  JsonlAppender(real_file_system(), path).append(Json(1));
  EXPECT_EQ(folder.read("metrics.jsonl"), "1\n");
}

TEST(JsonlFilter, CutsWhatCameAfterACheckpoint) {
  test::TemporaryFolder folder;
  const auto path = folder.write("metrics.jsonl", "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"st");
  filter_jsonl(real_file_system(), path, [](const Json& row) { return row.at("step") <= 2; });
  EXPECT_EQ(folder.read("metrics.jsonl"), "{\"step\":1}\n{\"step\":2}\n");
}

TEST(JsonlFilter, LeavesAFileAloneThatNeedsNoCut) {
  test::TemporaryFolder folder;
  test::FaultyFileSystem files(0);  // any write would throw
  const auto path = folder.write("metrics.jsonl", "{\"step\":1}\n");
  EXPECT_NO_THROW(filter_jsonl(files, path, [](const Json&) { return true; }));
  EXPECT_NO_THROW(filter_jsonl(files, folder / "absent.jsonl", [](const Json&) { return true; }));
}

}  // namespace
}  // namespace picochat::base
