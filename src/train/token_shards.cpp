#include "picochat/train/token_shards.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/text.hpp"
#include "picochat/tokenizer/encode_stream.hpp"

namespace picochat::train {
namespace {

using base::cat;
using base::Json;
using base::Path;

constexpr const char* kIndexFile = "documents.bin";  // starts of all documents, then their keys; uint64 each
constexpr const char* kInfoFile = "token_shards_manifest.json";

std::string shard_name(int64_t index) { return cat("tokens-", base::zero_padded(static_cast<uint64_t>(index), 6), ".bin"); }

class ShardWriter {
 public:
  ShardWriter(base::FileSystem& files, const Path& folder, int token_bytes, int64_t shard_tokens)
      : files_(files), folder_(folder), token_bytes_(token_bytes), shard_tokens_(shard_tokens) {}

  void add(std::span<const tokenizer::TokenId> tokens) {
    if (!file_) file_ = files_.create(folder_ / shard_name(static_cast<int64_t>(sizes_.size())));
    std::string_view bytes(reinterpret_cast<const char*>(tokens.data()), tokens.size() * 4);
    if (token_bytes_ == 2) {
      narrow_.assign(tokens.begin(), tokens.end());
      bytes = {reinterpret_cast<const char*>(narrow_.data()), narrow_.size() * 2};
    }
    file_->append(bytes);
    digest_.update(bytes);  // while they are in the cache
    in_shard_ += static_cast<int64_t>(tokens.size());
    total_ += static_cast<int64_t>(tokens.size());
    if (in_shard_ >= shard_tokens_) close();
  }
  // Tokens until this shard is full; documents are never cut.
  int64_t room() const { return shard_tokens_ - in_shard_; }
  void close() {
    if (!file_) return;
    file_->sync();
    file_->close();
    file_.reset();
    digests_.emplace(shard_name(static_cast<int64_t>(sizes_.size())), std::exchange(digest_, {}).finish());
    sizes_.push_back(std::exchange(in_shard_, 0));
  }
  int64_t total() const { return total_; }
  const std::vector<int64_t>& sizes() const { return sizes_; }
  const std::map<std::string, base::Digest>& digests() const { return digests_; }

 private:
  base::FileSystem& files_;
  Path folder_;
  int token_bytes_;
  int64_t shard_tokens_, in_shard_ = 0, total_ = 0;
  std::unique_ptr<base::WritableFile> file_;
  std::vector<int64_t> sizes_;
  base::Sha256 digest_;  // of the open shard
  std::map<std::string, base::Digest> digests_;
  std::vector<uint16_t> narrow_;
};

}  // namespace

base::Digest build_token_shards(base::FileSystem& files, const Path& folder, const tokenizer::Tokenizer& tokenizer,
                                const ShardDocumentStream& documents, const ShardBuild& build) {
  base::Digest digest;
  base::publish_directory(files, folder, [&](const Path& temporary) {
    const int token_bytes = tokenizer.vocab_size() <= 65536 ? 2 : 4;
    ShardWriter writer(files, temporary, token_bytes, build.shard_tokens);
    std::vector<uint64_t> starts, keys;
    int64_t text_bytes = 0;
    base::Progress progress("token shards", static_cast<uint64_t>(build.total_bytes), "B");
    ShardDocument document;
    const auto stream = [&](std::string& text, std::optional<uint64_t>& key) {
      document.key.reset();
      if (!documents(document)) return false;
      text.swap(document.text);
      key = document.key;
      return true;
    };
    tokenizer::encode_stream(tokenizer, stream, [&](const tokenizer::EncodedBatch& batch) {
      size_t written = 0, end = 0;
      for (size_t i = 0; i < batch.ends.size(); ++i) {
        starts.push_back(static_cast<uint64_t>(writer.total()) + end - written);
        keys.push_back(batch.tags[i]);
        end = batch.ends[i];
        if (static_cast<int64_t>(end - written) < writer.room() && i + 1 < batch.ends.size()) continue;
        writer.add(std::span(batch.ids).subspan(written, end - written));
        written = end;
      }
      text_bytes += static_cast<int64_t>(batch.text_bytes);
      progress.update(static_cast<uint64_t>(text_bytes));
    }, {.threads = build.threads, .tag_of = build.key_of});
    writer.close();
    auto index = files.create(temporary / kIndexFile);
    for (const auto* values : {&starts, &keys}) index->append({reinterpret_cast<const char*>(values->data()), values->size() * 8});
    index->sync();
    index->close();
    Json info{{"format", 1}, {"vocab_size", tokenizer.vocab_size()}, {"token_bytes", token_bytes}, {"tokenizer_sha256", tokenizer.digest().hex()},
              {"num_tokens", writer.total()}, {"num_documents", starts.size()}, {"text_bytes", text_bytes}, {"document_boundary_tokens", true},
              {"shard_tokens", writer.sizes()}};
    auto file = files.create(temporary / kInfoFile);
    file->append(base::dump(info) + "\n");
    file->sync();
    file->close();
    digest = base::write_manifest(files, temporary, kShardsKind, writer.digests());
    progress.finish();
  });
  return digest;
}

TokenShards::TokenShards(const Path& folder) : digest_(base::verify_artifact(folder, kShardsKind)) {
  const std::string where = (folder / kInfoFile).string();
  const Json info = base::read_json(folder / kInfoFile);
  vocab_size_ = base::get_int(info, "vocab_size", where);
  token_bytes_ = static_cast<int>(base::get_int(info, "token_bytes", where));
  text_bytes_ = base::get_int(info, "text_bytes", where);
  if (token_bytes_ != 2 && token_bytes_ != 4) throw base::bad_input({.what = "token_bytes is wrong", .where = where, .expected = "2 or 4"});
  const Json shard_tokens = base::member(info, "shard_tokens");
  if (!shard_tokens.is_array()) throw base::bad_input({.what = "\"shard_tokens\" is not a list", .where = where});
  for (int64_t i = 0; i < static_cast<int64_t>(shard_tokens.size()); ++i) {
    shards_.push_back({base::MappedFile(folder / shard_name(i)), size_});
    size_ += static_cast<int64_t>(shards_.back().file.bytes().size()) / token_bytes_;
  }
  documents_ = std::make_unique<base::MappedFile>(folder / kIndexFile);
  const size_t count = static_cast<size_t>(base::get_int(info, "num_documents", where));
  const auto check = [&](bool fits) {
    if (!fits) throw base::bad_input({.what = "the token shards do not fit their own description", .where = folder.string(), .remedy = "delete the folder; it is built again"});
  };
  check(documents_->bytes().size() % 16 == 0 && documents_->bytes().size() / 16 == count && size_ == base::get_int(info, "num_tokens", where));
  const auto* words = reinterpret_cast<const uint64_t*>(documents_->bytes().data());
  starts_ = {words, count};
  keys_ = {words + count, count};
  check(std::is_sorted(starts_.begin(), starts_.end()) && (count == 0 || starts_.back() <= static_cast<uint64_t>(size_)));
}

int64_t TokenShards::document_end(int64_t document) const {
  return document + 1 < document_count() ? document_start(document + 1) : size_;
}

void TokenShards::read(int64_t start, std::span<int32_t> out) const {
  base::require(start >= 0 && start + static_cast<int64_t>(out.size()) <= size_, "token range inside the shards");
  auto shard = std::upper_bound(shards_.begin(), shards_.end(), start, [](int64_t at, const Shard& s) { return at < s.start; }) - 1;
  for (size_t done = 0; done < out.size(); ++shard) {
    const auto bytes = shard->file.bytes();
    const int64_t available = static_cast<int64_t>(bytes.size()) / token_bytes_, offset = start + static_cast<int64_t>(done) - shard->start;
    const auto n = static_cast<size_t>(std::min<int64_t>(available - offset, static_cast<int64_t>(out.size() - done)));
    if (token_bytes_ == 2) {
      const auto* tokens = reinterpret_cast<const uint16_t*>(bytes.data()) + offset;
      std::copy_n(tokens, n, out.data() + done);
    } else {
      std::memcpy(out.data() + done, bytes.data() + offset * 4, n * 4);
    }
    done += n;
  }
}

}  // namespace picochat::train
