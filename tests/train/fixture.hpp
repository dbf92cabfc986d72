// A small world for the train room's tests: a folder that goes away, a byte tokenizer, documents.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "picochat/corpus/document.hpp"
#include "picochat/tokenizer/tokenizer.hpp"
#include "picochat/tokenizer/train.hpp"
#include "picochat/train/token_shards.hpp"
#include "support/deterministic_environment.hpp"
#include "support/temporary_folder.hpp"

namespace picochat::train::testing {

using picochat::test::TemporaryFolder;

inline std::shared_ptr<tokenizer::Tokenizer> byte_tokenizer() {
  static const std::shared_ptr<tokenizer::Tokenizer> tokenizer = tokenizer::train_tokenizer({.type = "byte"}, [](std::string&) { return false; });
  return tokenizer;
}

inline std::vector<std::string> some_documents(int count, int words = 60) {
  std::vector<std::string> documents;
  for (int i = 0; i < count; ++i) {
    std::string text;
    for (int w = 0; w < words; ++w) text += "word" + std::to_string((i * 7 + w * w) % 23) + (w % 9 == 8 ? ".\n" : " ");
    documents.push_back(text + std::to_string(i));
  }
  return documents;
}

inline std::shared_ptr<const TokenShards> build_shards(const std::filesystem::path& folder, const std::vector<std::string>& documents, int64_t shard_tokens = 1000) {
  size_t next = 0;
  build_token_shards(base::real_file_system(), folder, *byte_tokenizer(), [&](ShardDocument& document) {
    if (next == documents.size()) return false;
    document = {documents[next], corpus::document_key(documents[next], 0)};
    ++next;
    return true;
  }, {.shard_tokens = shard_tokens});
  return std::make_shared<const TokenShards>(folder);
}

}  // namespace picochat::train::testing
