// Token shards whose digests are right and whose content is anything: description, two shards, starts of documents.
#include "fuzz.hpp"
#include "picochat/train/token_shards.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace picochat;
  const auto folder = fuzz::write_artifact(train::kShardsKind, {"token_shards_manifest.json", "tokens-000000.bin", "tokens-000001.bin", "documents.bin"},
                                            fuzz::parts_of(fuzz::text_of(data, size), 4));
  fuzz::accepted([&] {
    const train::TokenShards shards(folder);
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < shards.document_count(); ++i) {
      const int64_t begin = shards.document_start(i), end = shards.document_end(i);
      fuzz::check(begin >= 0 && begin <= end && end <= shards.size(), "documents lie in the shards");
      ids.resize(static_cast<size_t>(end - begin));
      shards.read(begin, ids);
    }
    ids.resize(static_cast<size_t>(shards.size()));
    shards.read(0, ids);
  });
  return 0;
}
