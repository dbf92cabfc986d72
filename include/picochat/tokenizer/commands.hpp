// The engines of `tok train`, `tok encode`, `tok decode`, `tok inspect` and `tok eval`: options in, a
// JSON value and a text for people out. The command line binds the tables and prints.
#pragma once

#include <istream>
#include <optional>
#include <string>

#include "picochat/base/command_output.hpp"
#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/base/options.hpp"
#include "picochat/tokenizer/train.hpp"

namespace picochat::tokenizer {

using base::CommandOutput;

struct TokTrainOptions {
  std::string input;  // a text file, a .jsonl file, or a folder of them
  std::string out;    // tokenizer.json
  std::string tokenizer_type = "bpe", bpe_pretokenizer = "regex";
  int64_t vocab_size = 512, min_freq = 1;
  bool json = false;
};
const base::OptionTable<TokTrainOptions>& tok_train_options();
CommandOutput tok_train(base::FileSystem& files, const TokTrainOptions& options);

// The text of `encode` and the ids of `decode` come from --input, or from `standard_input`.
struct TokEncodeOptions {
  std::string tokenizer;
  std::optional<std::string> input;
  bool json = false;
};
const base::OptionTable<TokEncodeOptions>& tok_encode_options();
CommandOutput tok_encode(const TokEncodeOptions& options, std::istream& standard_input);

struct TokDecodeOptions {
  std::string tokenizer;
  std::optional<std::string> input;  // ids as decimal numbers between white space or commas
  bool render_special = false;       // <bos> and the like as text instead of nothing
};
const base::OptionTable<TokDecodeOptions>& tok_decode_options();
CommandOutput tok_decode(const TokDecodeOptions& options, std::istream& standard_input);  // text: the very bytes

struct TokInspectOptions {
  std::string tokenizer;
  bool json = false;
};
const base::OptionTable<TokInspectOptions>& tok_inspect_options();
CommandOutput tok_inspect(const TokInspectOptions& options);

struct TokEvalOptions {
  std::string tokenizer, input;
  std::optional<std::string> baseline;  // another tokenizer.json, measured on the same text
  bool json = false;
};
const base::OptionTable<TokEvalOptions>& tok_eval_options();
CommandOutput tok_eval(const TokEvalOptions& options);

}  // namespace picochat::tokenizer
