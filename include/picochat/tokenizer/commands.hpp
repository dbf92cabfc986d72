// The engines of `tok train`, `encode`, `decode`, `inspect`, `eval` and `export`: options in, a
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
  std::string tokenizer_type = "bpe", bpe_pretokenizer = "regex", sentencepiece_model = "bpe";
  int64_t vocab_size = 512, min_freq = 1, sample_bytes = 0, threads = 0;
  bool tiktoken = false, json = false;
};
const base::OptionTable<TokTrainOptions>& tok_train_options();
CommandOutput tok_train(base::FileSystem& files, const TokTrainOptions& options);

// The text of `encode` and the ids of `decode` come from --input, or from `standard_input`.
struct TokEncodeOptions {
  std::string tokenizer;
  std::optional<std::string> input, out;
  int64_t threads = 0;
  bool json = false;
};
const base::OptionTable<TokEncodeOptions>& tok_encode_options();
CommandOutput tok_encode(base::FileSystem& files, const TokEncodeOptions& options, std::istream& standard_input);

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
  std::optional<std::string> baseline;  // another tokenizer.json, measured on the same text; none: bytes
  bool json = false;
};
const base::OptionTable<TokEvalOptions>& tok_eval_options();
CommandOutput tok_eval(const TokEvalOptions& options);

struct TokExportOptions {
  std::string tokenizer, out;
  int64_t model_max_length = 1024;
  bool tiktoken = false, json = false;
};
const base::OptionTable<TokExportOptions>& tok_export_options();
CommandOutput tok_export(base::FileSystem& files, const TokExportOptions& options);

}  // namespace picochat::tokenizer
