#include "picochat/hub/data_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "picochat/base/error.hpp"

namespace picochat::hub {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string kind(std::string_view name) {
  for (const char* each : {"parquet", "jsonl", "csv"})
    if (name.ends_with(std::string(".") + each)) return each;
  return "";
}

std::vector<RepoFile> files(std::initializer_list<const char*> paths) {
  std::vector<RepoFile> out;
  for (const char* path : paths) out.push_back({.path = path, .size = 1});
  return out;
}

std::vector<std::string> resolved(const std::vector<RepoFile>& all, const Card& card, DataFilesRequest request) {
  request.kind = kind;
  std::vector<std::string> out;
  for (const auto& file : resolve_data_files(all, card, request, "somewhere").files) out.push_back(file.path);
  return out;
}

std::string refusal(const std::vector<RepoFile>& all, const Card& card, DataFilesRequest request) {
  try {
    resolved(all, card, std::move(request));
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
    return error.what();
  }
  return "no error";
}

TEST(PathMatches, StarsStayInsideFoldersUnlessDoubled) {
  EXPECT_TRUE(path_matches("data/train-*", "data/train-00000.parquet"));
  EXPECT_FALSE(path_matches("data/*", "data/deep/x.parquet"));
  EXPECT_TRUE(path_matches("data/**", "data/deep/x.parquet"));
  EXPECT_TRUE(path_matches("**/x.parquet", "x.parquet"));
  EXPECT_TRUE(path_matches("**/x.parquet", "a/b/x.parquet"));
  EXPECT_FALSE(path_matches("data/**", "data"));
  EXPECT_TRUE(path_matches("**.csv", "a/b.csv"));
  EXPECT_TRUE(path_matches("./a/?[0-9].csv", "a/x7.csv"));
  EXPECT_FALSE(path_matches("", "a"));
  EXPECT_TRUE(path_matches("**/**/**/**/**", "a/b/c"));
}

const Card kSmol{.license = "odc-by", .configs = {{.name = "cosmopedia-v2", .splits = {{"train", {"cosmopedia-v2/train-*"}}}},
                                                  {.name = "fineweb-edu-dedup", .splits = {{"train", {"fineweb-edu-dedup/train-*"}}}}}};

TEST(DataFiles, TheCardDecides) {
  const auto all = files({"README.md", "fineweb-edu-dedup/train-00001-of-00002.parquet", "fineweb-edu-dedup/train-00000-of-00002.parquet",
                          "cosmopedia-v2/train-00000-of-00001.parquet", "fineweb-edu-dedup/.hidden/train-9.parquet"});
  EXPECT_THAT(resolved(all, kSmol, {.config = "fineweb-edu-dedup"}),
              ElementsAre("fineweb-edu-dedup/train-00000-of-00002.parquet", "fineweb-edu-dedup/train-00001-of-00002.parquet"));
}

TEST(DataFiles, WrongNamesAreAnsweredWithTheRightOnes) {
  const auto all = files({"cosmopedia-v2/train-0.parquet", "fineweb-edu-dedup/train-0.parquet"});
  EXPECT_THAT(refusal(all, kSmol, {.config = "cosmopedia"}), AllOf(HasSubstr("cosmopedia-v2"), HasSubstr("fineweb-edu-dedup")));
  EXPECT_THAT(refusal(all, kSmol, {.config = "cosmopedia-v2", .split = "trian"}), HasSubstr("did you mean train?"));
  EXPECT_THAT(refusal(all, kSmol, {}), HasSubstr("several configs"));
  EXPECT_THAT(refusal(all, {}, {.patterns = {"absent/*.parquet"}}), HasSubstr("absent/*.parquet"));
  EXPECT_THAT(refusal(all, {}, {.patterns = {"https://elsewhere.example/x.parquet"}}), HasSubstr("outside of the repository"));
}

TEST(DataFiles, WithoutACardNamesDecide) {
  const auto sharded = files({"data/train-00000-of-00001-abc.parquet", "data/validation_seen-00000-of-00001.parquet", "other/train.parquet", "README.md"});
  EXPECT_THAT(resolved(sharded, {}, {.split = "train"}), ElementsAre("data/train-00000-of-00001-abc.parquet"));
  EXPECT_THAT(resolved(sharded, {}, {.split = "validation_seen"}), ElementsAre("data/validation_seen-00000-of-00001.parquet"));
  const auto folders = files({"train/a.jsonl", "my-test/b.jsonl", "trainers/c.jsonl"});
  EXPECT_THAT(resolved(folders, {}, {.split = "train"}), ElementsAre("train/a.jsonl"));
  EXPECT_THAT(resolved(folders, {}, {.split = "test"}), ElementsAre("my-test/b.jsonl"));
  const auto names = files({"x_train.csv", "dev.csv", "training.md"});
  EXPECT_THAT(resolved(names, {}, {.split = "train"}), ElementsAre("x_train.csv"));
  EXPECT_THAT(resolved(names, {}, {.split = "validation"}), ElementsAre("dev.csv"));
  const auto plain = files({"a.jsonl", "b.jsonl", "LICENSE", "logo.png", "notes.csv", ".gitattributes"});
  EXPECT_THAT(resolved(plain, {}, {}), ElementsAre("a.jsonl", "b.jsonl")) << "the kind that most files have is the data";
}

TEST(DataFiles, UnreadableFilesAreTold) {
  DataFilesRequest request{.kind = kind};
  const DataFiles out = resolve_data_files(files({"train.zip", "load.py"}), {}, request, "somewhere");
  EXPECT_THAT(out.files, IsEmpty());
  EXPECT_THAT(out.unreadable, ElementsAre("train.zip"));
}

TEST(DataFiles, PatternsReplaceTheCard) {
  const auto all = files({"a/x.parquet", "a/y.parquet", "b/z.parquet"});
  EXPECT_THAT(resolved(all, kSmol, {.patterns = {"b/*.parquet", "a/x.parquet", "a/*"}}), ElementsAre("b/z.parquet", "a/x.parquet", "a/y.parquet"));
}

}  // namespace
}  // namespace picochat::hub
