// The engine of `tok shards`: documents to a folder of token shards, as a run makes them.
#pragma once

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/options.hpp"

namespace picochat::train {

struct TokShardsOptions {
  std::string tokenizer, input, out;  // out: a folder that does not exist yet
  std::optional<std::string> verify;  // instead: a folder of shards to check
  int64_t shard_tokens = 1'000'000, threads = 0;
  bool json = false;
};
const base::OptionTable<TokShardsOptions>& tok_shards_options();
base::CommandOutput tok_shards(base::FileSystem& files, const TokShardsOptions& options);

}  // namespace picochat::train
