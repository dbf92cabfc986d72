// From a corpus to what the loop reads: token shards, the held-out split, windows. For the stages of a run and for the
// commands that train one stage by itself.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "picochat/corpus/corpus.hpp"
#include "picochat/factory/stage_cache.hpp"
#include "picochat/train/split.hpp"
#include "picochat/train/validation.hpp"
#include "picochat/train/window_source.hpp"

namespace picochat::factory {

// A recipe or a pack by its file name, else a file or folder of text.
corpus::Corpus open_corpus(const base::Path& path);

// How often each part of a corpus counts: what tokenizer and shards depend on beside its text.
base::Json source_weights(const corpus::Corpus& corpus);

// Makes the folder of a command; BadInput when it holds something and lacks `mark`, which such a command leaves.
void claim_command_folder(base::FileSystem& files, const base::Path& dir, const char* mark = "stages");

struct ShardPlan {
  int64_t shard_tokens = 0, text_bytes = 0;
  int threads = 0;
};
// Writes token shards in place of those that are there.
void replace_token_shards(base::FileSystem& files, const base::Path& folder, const tokenizer::Tokenizer& tokenizer,
                          const std::function<bool(train::ShardDocument&)>& next, const ShardPlan& plan);

// <dir>/token_shards, built unless they are there and made of the same text and tokenizer. made_of_them: the stage whose finished or resumable
// training would be lost with them; then they are not built anew, and the error says so.
std::shared_ptr<const train::TokenShards> command_shards(base::FileSystem& files, StageCache& cache, const base::Path& dir, const corpus::Corpus& corpus,
                                                         const tokenizer::Tokenizer& tokenizer, const base::Path& tokenizer_path, int64_t shard_tokens, int threads, const std::string& made_of_them = "");

// Held-out tokens for a fraction of all, at least one window.
int64_t held_out_tokens(const train::TokenShards& shards, double fraction, int64_t context_size);

// What base training reads: the split, and the windows of its training side.
struct BaseData {
  // split_mode: "document" or "window", as a run's option has it.
  BaseData(std::shared_ptr<const train::TokenShards> shards, int64_t val_tokens, const std::string& split_mode, const train::WindowOptions& options);
  BaseData(const BaseData&) = delete;
  BaseData& operator=(const BaseData&) = delete;

  std::unique_ptr<train::Validator> validator(std::vector<uint32_t> byte_lengths) const;

  const train::WindowOptions windows;
  const train::Split split;
  train::WindowSource source;  // of split.train
};

}  // namespace picochat::factory
