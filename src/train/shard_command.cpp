#include "picochat/train/shard_command.hpp"

#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/train/token_shards.hpp"

namespace picochat::train {
namespace {

using base::cat;
using base::Json;

base::CommandOutput describe(const TokenShards& shards, const std::string& folder, std::optional<double> seconds) {
  base::CommandOutput output;
  output.json = {{"path", folder}, {"digest", shards.digest().hex()}, {"documents", shards.document_count()}, {"text_bytes", shards.text_bytes()},
                 {"tokens", shards.size()}, {"shards", shards.shard_count()}, {"vocab_size", shards.vocab_size()}};
  if (seconds) output.json["seconds"] = *seconds;
  for (const auto& [key, value] : output.json.items())
    output.text += cat(key, ": ", value.is_string() ? value.get<std::string>() : value.is_number_float() ? base::fixed(value.get<double>(), 2) : base::dump(value, -1), "\n");
  return output;
}

}  // namespace

const base::OptionTable<TokShardsOptions>& tok_shards_options() {
  static const auto table = [] {
    base::OptionTable<TokShardsOptions> t;
    t.add("tokenizer", &TokShardsOptions::tokenizer, "tokenizer.json, or a sentencepiece tokenizer.model");
    t.add("input", &TokShardsOptions::input, "text file, file of rows (.jsonl, .parquet, .csv) or folder of them");
    t.add("out", &TokShardsOptions::out, "folder to make; it must not exist");
    t.add("verify", &TokShardsOptions::verify, "check the digests of this folder of shards, and do nothing else");
    t.add("shard_tokens", &TokShardsOptions::shard_tokens, "close a shard once it holds so many tokens").at_least(1);
    t.add("threads", &TokShardsOptions::threads, "threads, which never change the result (0: all cores)").at_least(0).at_most(1024);
    t.add("json", &TokShardsOptions::json, "print the result as JSON");
    return t;
  }();
  return table;
}

base::CommandOutput tok_shards(base::FileSystem& files, const TokShardsOptions& options) {
  if (options.verify) return describe(TokenShards(*options.verify), *options.verify, {});
  for (const auto& [value, flag] : {std::pair(&options.tokenizer, "--tokenizer"), {&options.input, "--input"}, {&options.out, "--out"}})
    if (value->empty()) throw base::usage_error({.what = cat(flag, " is missing"), .remedy = "give --tokenizer, --input and --out, or --verify alone"});
  if (std::filesystem::exists(options.out))
    throw base::usage_error({.what = "the folder to make exists already", .where = options.out, .remedy = "choose another --out, or delete it"});
  const auto tokenizer = tokenizer::load_tokenizer(options.tokenizer);
  const auto corpus = corpus::Corpus::open({.input = options.input});
  int64_t bytes = 0;
  for (const auto& file : corpus.files())
    if (file.included) bytes += static_cast<int64_t>(file.bytes);
  const double start = base::monotonic_seconds();
  const base::Path parent = base::Path(options.out).parent_path();
  if (!parent.empty()) files.make_directories(parent);
  const auto texts = corpus.texts();
  build_token_shards(files, options.out, *tokenizer, [&](ShardDocument& document) { return texts(document.text); },
                     {.shard_tokens = options.shard_tokens, .total_bytes = bytes, .threads = static_cast<int>(options.threads),
                      .key_of = [](std::string_view text) { return corpus::document_key(text, 0); }});
  const double seconds = base::monotonic_seconds() - start;
  return describe(TokenShards(options.out), options.out, seconds);
}

}  // namespace picochat::train
