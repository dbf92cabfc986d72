#include "picochat/train/shard_command.hpp"
#include "picochat/train/token_shards.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "fixture.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/train/split.hpp"

namespace picochat::train {
namespace {

using testing::build_shards;
using testing::byte_tokenizer;
using testing::some_documents;
using testing::TemporaryFolder;

std::string text_of(const TokenShards& shards, int64_t document) {
  std::vector<int32_t> tokens(static_cast<size_t>(shards.document_end(document) - shards.document_start(document)));
  shards.read(shards.document_start(document), tokens);
  std::vector<tokenizer::TokenId> ids(tokens.begin(), tokens.end());
  return byte_tokenizer()->decode(ids);
}

TEST(TokenShards, GiveBackEveryDocumentBetweenItsBoundaryTokens) {
  TemporaryFolder folder;
  const auto documents = some_documents(30);
  const auto shards = build_shards(folder.path() / "shards", documents, 700);
  ASSERT_EQ(shards->document_count(), 30);
  EXPECT_GT(shards->shard_count(), 5);
  for (int64_t i = 0; i < 30; ++i) {
    EXPECT_EQ(text_of(*shards, i), documents[static_cast<size_t>(i)]);
    int32_t first = 0, last = 0;
    shards->read(shards->document_start(i), {&first, 1});
    shards->read(shards->document_end(i) - 1, {&last, 1});
    EXPECT_EQ(first, static_cast<int32_t>(tokenizer::kBos));
    EXPECT_EQ(last, static_cast<int32_t>(tokenizer::kEos));
  }
}

TEST(TokenShards, AreByteIdenticalForAnyNumberOfThreads) {
  TemporaryFolder folder;
  const auto documents = some_documents(50);
  std::vector<std::string> digests;
  for (int threads : {1, 2, 4}) {
    size_t next = 0;
    digests.push_back(build_token_shards(base::real_file_system(), folder.path() / std::to_string(threads), *byte_tokenizer(), [&](ShardDocument& d) {
      if (next == documents.size()) return false;
      d = {documents[next++], 1};
      return true;
    }, {.shard_tokens = 500, .threads = threads}).hex());
  }
  EXPECT_EQ(digests[0], digests[1]);
  EXPECT_EQ(digests[0], digests[2]);
}

TEST(TokenShards, NameTheFileWhenABitIsFlipped) {
  TemporaryFolder folder;
  build_shards(folder.path() / "shards", some_documents(30));
  const auto victim = folder.path() / "shards/tokens-000001.bin";
  std::fstream file(victim, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(100);
  file.put('\x7f');
  file.close();
  try {
    TokenShards shards(folder.path() / "shards");
    FAIL() << "a damaged shard was accepted";
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("tokens-000001.bin"));
    EXPECT_EQ(error.code(), base::ExitCode::kBadInput);
  }
}

// The digests are right: somebody else made them.
TEST(TokenShards, ADescriptionThatDoesNotFitIsRefused) {
  TemporaryFolder folder;
  const auto path = folder.path() / "shards";
  build_shards(path, some_documents(3));
  const auto refused = [&](const std::string& name, const std::function<std::string(std::string)>& change) {
    const std::string before = base::read_file(path / name);
    base::write_file(base::real_file_system(), path / name, change(before));
    std::filesystem::remove(path / "manifest.json");
    base::write_manifest(base::real_file_system(), path, kShardsKind);
    EXPECT_THROW(TokenShards{path}, base::Error) << name;
    base::write_file(base::real_file_system(), path / name, before);
  };
  const auto described = [&](const std::string& key, const base::Json& value) {
    refused("token_shards_manifest.json", [&](const std::string& text) {
      auto info = base::Json::parse(text);
      info[key] = value;
      return info.dump();
    });
  };
  described("shard_tokens", nullptr);
  described("num_documents", int64_t{1} << 60);  // sixteen times that wraps around
  described("num_documents", -3);
  refused("documents.bin", [](std::string bytes) { return bytes.replace(8, 8, std::string(8, '\x7f')); });  // a start beyond the end
}

TEST(TokShards, MakesWhatARunMakesAndNamesAFlippedBit) {
  TemporaryFolder folder;
  auto& files = base::real_file_system();
  const std::string tokenizer = (folder.path() / "tokenizer.json").string(), rows = (folder.path() / "rows.jsonl").string(), out = (folder.path() / "made/shards").string();
  base::write_file(files, tokenizer, byte_tokenizer()->to_json());
  std::string text;
  const auto documents = some_documents(30);
  for (const auto& document : documents) text += base::dump({{"text", document}}, -1) + "\n";
  base::write_file(files, rows, text);
  const TokShardsOptions options{.tokenizer = tokenizer, .input = rows, .out = out, .shard_tokens = 700};
  const auto made = tok_shards(files, options);
  EXPECT_EQ(made.json.at("documents"), 30);
  EXPECT_EQ(made.json.at("digest"), build_shards(folder.path() / "by_a_run", documents, 700)->digest().hex());
  EXPECT_EQ(tok_shards(files, {.verify = out}).json.at("digest"), made.json.at("digest"));
  EXPECT_THROW(tok_shards(files, options), base::Error);  // it exists already
  EXPECT_THROW(tok_shards(files, {.tokenizer = tokenizer, .input = rows}), base::Error);
  std::fstream file(out + "/tokens-000002.bin", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(11);
  file.put('\x7f');
  file.close();
  try {
    tok_shards(files, {.verify = out});
    FAIL() << "a damaged shard was accepted";
  } catch (const base::Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("tokens-000002.bin"));
  }
}

TEST(Split, HoldsOutWholeDocumentsAndStaysWhenTheCorpusGrows) {
  TemporaryFolder folder;
  auto documents = some_documents(40);
  const auto small = split_tokens(build_shards(folder.path() / "a", documents), 1500, 64);
  EXPECT_EQ(small.method, "document");
  EXPECT_GT(small.validation.size(), 300);
  EXPECT_LE(small.validation.size(), (small.train.size() + small.validation.size()) / 5);

  std::vector<std::string> reordered(documents.rbegin(), documents.rend());
  const auto shards = build_shards(folder.path() / "b", reordered);
  const auto again = split_tokens(shards, 1500, 64);
  EXPECT_EQ(again.validation.size(), small.validation.size());
  EXPECT_EQ(again.train.size(), small.train.size());
}

TEST(Split, FencesBlocksOfASingleDocumentWithAGapOfOneContext) {
  TemporaryFolder folder;
  std::string one;
  for (const auto& text : some_documents(60)) one += text;
  const int64_t context = 64;
  const auto split = split_tokens(build_shards(folder.path() / "a", {one}), 3000, context);
  EXPECT_EQ(split.method, "blocks");
  for (const Span& held_out : split.validation.spans())
    for (const Span& used : split.train.spans()) {
      const bool before = used.end + context <= held_out.start, after = used.start >= held_out.end + context;
      EXPECT_TRUE(before || after) << held_out.start << ".." << held_out.end << " against " << used.start << ".." << used.end;
    }
}

TEST(Split, RefusesACorpusThatIsTooSmallForTheContext) {
  TemporaryFolder folder;
  const auto shards = build_shards(folder.path() / "a", {"only a few words"});
  EXPECT_THROW(split_tokens(shards, 1000, 512), base::Error);
}

}  // namespace
}  // namespace picochat::train
