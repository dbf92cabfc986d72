// Token shards encoded by several threads, and read by several at once: what a run on several ranks or a busy loader does.
#include <gtest/gtest.h>

#include <thread>

#include "picochat/train/window_source.hpp"
#include "train/fixture.hpp"

namespace picochat::train {
namespace {

using testing::some_documents;
using testing::TemporaryFolder;

TEST(LoaderRace, ReadersOfSharedShardsSeeTheSameBatches) {
  TemporaryFolder folder;
  const auto documents = some_documents(200);
  size_t next = 0;
  build_token_shards(base::real_file_system(), folder.path() / "shards", *testing::byte_tokenizer(), [&](ShardDocument& d) {
    if (next == documents.size()) return false;
    d = {documents[next++], {}};
    return true;
  }, {.shard_tokens = 3000, .threads = 4, .key_of = [](std::string_view text) { return static_cast<uint64_t>(text.size()); }});
  const auto shards = std::make_shared<const TokenShards>(folder.path() / "shards");
  const TokenStream stream{shards, {{0, shards->size()}}};

  const auto read = [&](std::vector<int32_t>& seen) {
    WindowSource source(stream, {.context_size = 32, .batch_size = 4, .seed = 7});
    MicroBatch batch;
    for (int64_t step = 1; step <= 200; ++step) {
      source.prepare(step);
      source.fill(0, batch);
      seen.insert(seen.end(), batch.tokens.begin(), batch.tokens.end());
    }
  };
  std::vector<std::vector<int32_t>> seen(4);
  std::vector<std::thread> readers;
  for (auto& mine : seen) readers.emplace_back([&] { read(mine); });
  for (auto& reader : readers) reader.join();
  for (const auto& mine : seen) EXPECT_EQ(mine, seen[0]);
}

}  // namespace
}  // namespace picochat::train
