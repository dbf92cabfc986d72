// What the training commands make of --corpus: a scanned corpus and its token shards.
#pragma once

#include <memory>

#include "picochat/corpus/corpus.hpp"
#include "picochat/factory/stage_cache.hpp"
#include "picochat/train/split.hpp"

namespace picochat::factory {

// A recipe or a pack by its file name, else a file or folder of text.
corpus::Corpus open_corpus(const base::Path& path);

// Builds <dir>/token_shards unless they are there and made of the same text and tokenizer. Returns their folder.
base::Path command_shards(base::FileSystem& files, StageCache& cache, const base::Path& dir, const corpus::Corpus& corpus, const tokenizer::Tokenizer& tokenizer,
                          const base::Path& tokenizer_path, int64_t shard_tokens, int threads);

// Held-out tokens for a fraction of all, at least one window.
int64_t held_out_tokens(const train::TokenShards& shards, double fraction, int64_t context_size);

}  // namespace picochat::factory
