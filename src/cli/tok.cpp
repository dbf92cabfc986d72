#include <iostream>

#include "bind.hpp"
#include "picochat/tokenizer/commands.hpp"
#include "picochat/train/shard_command.hpp"
#include "subcommands.hpp"

namespace picochat::cli {

std::vector<Command> tok_commands() {
  auto& files = base::real_file_system();
  return {
      bind_output({"tok", "train"}, "train a tokenizer on text", tokenizer::tok_train_options(),
                  [&files](const tokenizer::TokTrainOptions& o) { return tokenizer::tok_train(files, o); }),
      bind_output({"tok", "encode"}, "text to token ids", tokenizer::tok_encode_options(),
                  [&files](const tokenizer::TokEncodeOptions& o) { return tokenizer::tok_encode(files, o, std::cin); }),
      bind_output({"tok", "decode"}, "token ids to text", tokenizer::tok_decode_options(),
                  [](const tokenizer::TokDecodeOptions& o) { return tokenizer::tok_decode(o, std::cin); }),
      bind_output({"tok", "inspect"}, "what a tokenizer file holds", tokenizer::tok_inspect_options(), tokenizer::tok_inspect),
      bind_output({"tok", "eval"}, "how well a tokenizer fits a text", tokenizer::tok_eval_options(), tokenizer::tok_eval),
      bind_output({"tok", "export"}, "the files that other programs load a tokenizer from", tokenizer::tok_export_options(),
                  [&files](const tokenizer::TokExportOptions& o) { return tokenizer::tok_export(files, o); }),
      bind_output({"tok", "shards"}, "token shards of documents, or a check of them", train::tok_shards_options(),
                  [&files](const train::TokShardsOptions& o) { return train::tok_shards(files, o); }),
  };
}

}  // namespace picochat::cli
