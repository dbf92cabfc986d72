// Token shards: the corpus as token ids on disk, memory-mapped, with the start of every document.
// Written once, before step 1; format in docs/formats/token_shards.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "picochat/base/artifact.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::train {

inline constexpr const char* kShardsKind = "picochat-token-shards";

struct ShardDocument {
  std::string text;
  std::optional<uint64_t> key;  // keyed hash of the text, which decides the held-out split; none: ShardBuild::key_of
};
// Next document, false at the end.
using ShardDocumentStream = std::function<bool(ShardDocument&)>;

struct ShardBuild {
  int64_t shard_tokens = 1'000'000;  // a shard is closed once it holds this many tokens
  int64_t total_bytes = 0;           // of text, for progress; 0: unknown
  int threads = 0;
  std::function<uint64_t(std::string_view text)> key_of;  // called by all threads
};

// Encodes every document as <bos> text <eos> and publishes `folder`, a name that must not exist.
base::Digest build_token_shards(base::FileSystem& files, const base::Path& folder, const tokenizer::Tokenizer& tokenizer,
                                const ShardDocumentStream& documents, const ShardBuild& build);

// A mapped folder of shards. Positions are global: 0 is the first token of the first document.
class TokenShards {
 public:
  explicit TokenShards(const base::Path& folder);  // verifies every digest; BadInput naming the bad file
  int64_t size() const { return size_; }            // tokens
  int64_t vocab_size() const { return vocab_size_; }
  int64_t text_bytes() const { return text_bytes_; }
  int64_t document_count() const { return static_cast<int64_t>(starts_.size()); }
  int64_t shard_count() const { return static_cast<int64_t>(shards_.size()); }
  int64_t document_start(int64_t document) const { return static_cast<int64_t>(starts_[static_cast<size_t>(document)]); }
  int64_t document_end(int64_t document) const;
  uint64_t document_key(int64_t document) const { return keys_[static_cast<size_t>(document)]; }
  void read(int64_t start, std::span<int32_t> out) const;
  const base::Digest& digest() const { return digest_; }

 private:
  struct Shard {
    base::MappedFile file;
    int64_t start;
  };
  std::vector<Shard> shards_;
  std::unique_ptr<base::MappedFile> documents_;
  std::span<const uint64_t> starts_, keys_;
  int64_t size_ = 0, vocab_size_ = 0, text_bytes_ = 0;
  int token_bytes_ = 2;
  base::Digest digest_;
};

}  // namespace picochat::train
