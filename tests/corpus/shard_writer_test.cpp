#include "picochat/corpus/shard_writer.hpp"

#include <gmock/gmock.h>

#include "corpus/corpus_test_util.hpp"
#include "corpus/json_text.hpp"

namespace picochat::corpus {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> names_in(const Path& folder) {
  std::vector<std::string> names;
  for (const auto& path : base::list_files(folder)) names.push_back(path.string());
  return names;
}

TEST(ShardWriter, RowsComeBackAndShardsHaveTheirDigests) {
  Folder folder;
  const std::vector<std::string> texts = {"plain", "q\"uote\\ \n\r\t\x01 \x7F", "caf\xC3\xA9 \xF0\x9F\x98\x80\nsecond line\n", "d", "e"};
  DocumentShardWriter writer(base::real_file_system(), {.folder = folder / "documents", .rows_per_shard = 2});
  const base::Json extra = {{"score", 4}, {"url", "http://x/\""}};
  for (size_t i = 0; i < texts.size(); ++i) writer.add({.id = base::cat("id-", i), .text = texts[i], .extra = i == 1 ? &extra : nullptr});
  EXPECT_EQ(writer.published().size(), 2u);
  const auto records = writer.finish();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_THAT(names_in(folder / "documents"), ElementsAre("shard-000000.jsonl", "shard-000001.jsonl", "shard-000002.jsonl"));
  EXPECT_EQ(records[1].documents, 2);
  EXPECT_EQ(records[1].lines, 3);
  EXPECT_EQ(records[1].characters, 20);
  for (const auto& record : records) {
    const std::string bytes = base::read_file(folder / "documents" / record.file);
    EXPECT_EQ(record.sha256, base::sha256(bytes));
    EXPECT_EQ(record.bytes, bytes.size());
  }
  const Corpus corpus = open_input(folder / "documents");
  const auto documents = read_all(corpus);
  ASSERT_EQ(documents.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(documents[i].text, texts[i]);
    EXPECT_EQ(documents[i].id, base::cat("id-", i));
  }
  EXPECT_EQ(base::parse_json(base::split(base::read_file(folder / "documents/shard-000000.jsonl"), '\n')[1], "row")["url"], "http://x/\"");
}

TEST(ShardWriter, WhatIsNotUtf8IsReplaced) {
  std::string out;
  append_json_string(out, "a\xFF\xC3");
  EXPECT_EQ(out, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(ShardWriter, AnUnfinishedShardLeavesNothing) {
  Folder folder;
  {
    DocumentShardWriter writer(base::real_file_system(), {.folder = folder.path(), .rows_per_shard = 2});
    for (int i = 0; i < 3; ++i) writer.add({.id = "x", .text = "y"});
  }
  EXPECT_THAT(names_in(folder.path()), ElementsAre("shard-000000.jsonl"));
}

TEST(ShardWriter, GoesOnAfterACrashAndNeverOverwrites) {
  Folder folder;
  folder.write(".tmp-shard-000001.jsonl-42", "half a sha");
  folder.write("shard-000000.jsonl", "{\"text\":\"kept\"}\n");
  DocumentShardWriter writer(base::real_file_system(), {.folder = folder.path(), .first_shard = 1});
  writer.add({.id = "1", .text = "new"});
  writer.finish();
  EXPECT_THAT(names_in(folder.path()), ElementsAre("shard-000000.jsonl", "shard-000001.jsonl"));
  DocumentShardWriter again(base::real_file_system(), {.folder = folder.path()});
  expect_error(base::ExitCode::kBadInput, {"shard-000000.jsonl", "nothing was overwritten"}, [&] { again.add({.id = "1", .text = "other"}); });
  EXPECT_EQ(base::read_file(folder / "shard-000000.jsonl"), "{\"text\":\"kept\"}\n");
}

TEST(ShardWriter, SizeMayCloseAShard) {
  Folder folder;
  DocumentShardWriter writer(base::real_file_system(), {.folder = folder.path(), .rows_per_shard = 1000, .max_shard_bytes = 100});
  for (int i = 0; i < 4; ++i) writer.add({.id = "x", .text = std::string(60, 'a')});
  EXPECT_EQ(writer.finish().size(), 2u);
}

}  // namespace
}  // namespace picochat::corpus
