// `tok train` and `tok export`.
#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/tokenizer/hub_files.hpp"
#include "tokenizer/command_text.hpp"

namespace picochat::tokenizer {
namespace {

using base::cat;
using base::Json;

void write_beside(base::FileSystem& files, const base::Path& folder, const NamedFile& file, Json& written) {
  base::write_file(files, folder / file.name, file.bytes);
  written.push_back((folder / file.name).string());
}

}  // namespace

const base::OptionTable<TokTrainOptions>& tok_train_options() {
  static const auto table = [] {
    base::OptionTable<TokTrainOptions> t;
    t.add("input", &TokTrainOptions::input, "text file, .jsonl file or folder to learn from").must();
    t.add("out", &TokTrainOptions::out, "tokenizer.json to write").must();
    t.add("tokenizer_type", &TokTrainOptions::tokenizer_type, "kind of tokenizer (hf_bpe is another name of bpe)").choose({"bpe", "hf_bpe", "char", "byte", "sentencepiece"}).alias("--type");
    t.add("vocab_size", &TokTrainOptions::vocab_size, "largest vocabulary, special tokens included (byte: always 264)").at_least(264);
    t.add("min_freq", &TokTrainOptions::min_freq, "least occurrences of what is learned (bpe, char)").at_least(1);
    t.add("bpe_pretokenizer", &TokTrainOptions::bpe_pretokenizer, "bpe: split text by the pattern, or take each document as one piece").choose({"regex", "char"});
    t.add("sentencepiece_model", &TokTrainOptions::sentencepiece_model, "sentencepiece: which of its models to train").choose({"bpe", "unigram"});
    t.add("sample_bytes", &TokTrainOptions::sample_bytes, "learn from whole documents of at most this many bytes, chosen by hash (0: all; sentencepiece: 50 MB)").at_least(0);
    t.add("threads", &TokTrainOptions::threads, "threads, which never change the result (0: all cores)").at_least(0).at_most(1024);
    t.add("tiktoken", &TokTrainOptions::tiktoken, "also write tokenizer.tiktoken beside it");
    t.add("json", &TokTrainOptions::json, "print the result as JSON");
    return t;
  }();
  return table;
}

CommandOutput tok_train(base::FileSystem& files, const TokTrainOptions& options) {
  TrainOptions train{.type = options.tokenizer_type, .vocab_size = options.vocab_size, .min_freq = options.min_freq,
                     .pretokenizer = options.bpe_pretokenizer, .sentencepiece_model = options.sentencepiece_model, .threads = static_cast<int>(options.threads)};
  if (options.tiktoken && ((train.type != "bpe" && train.type != "hf_bpe") || train.pretokenizer != "regex")) {
    throw base::usage_error({.what = "only a bpe tokenizer that splits text by the pattern can be written as tiktoken ranks", .where = "--tiktoken",
                             .found = train.type, .remedy = "leave --tiktoken out"});
  }
  corpus::Corpus corpus = corpus::Corpus::open({.input = options.input});
  uint64_t total = 0, read = 0;
  for (const auto& file : corpus.files())
    if (file.included) total += file.bytes;

  const int64_t budget = options.sample_bytes || train.type != "sentencepiece" ? options.sample_bytes : kSentencePieceSampleBytes;
  DocumentSample sample{.documents = corpus.texts()};
  if (budget > 0) {
    sample = sample_documents([&] { return corpus.texts(); }, static_cast<uint64_t>(budget));
    total = std::min(sample.bytes_in_all, static_cast<uint64_t>(budget));
  }
  std::optional<base::Progress> progress(std::in_place, "reading text", total, "B"), merging;
  train.merge_progress = [&](int64_t merges, int64_t most) {
    if (!merging) {
      progress->finish();
      merging.emplace("learning merges", static_cast<uint64_t>(most), "merges");
    }
    merging->update(static_cast<uint64_t>(merges));
  };
  TrainStatistics statistics;
  const double start = base::monotonic_seconds();
  auto tokenizer = train_tokenizer(train, [&](std::string& text) {
    if (!sample.documents(text)) return false;
    progress->update(std::min(total, read += text.size() + 1));
    return true;
  }, &statistics);
  if (merging) merging->finish();
  else progress->finish();
  const double seconds = base::monotonic_seconds() - start;
  const base::Path out = options.out;
  if (out.has_parent_path()) files.make_directories(out.parent_path());
  base::write_file(files, out, tokenizer->to_json());
  Json also = Json::array();
  if (options.tiktoken) write_beside(files, out.parent_path(), {"tokenizer.tiktoken", tiktoken_ranks(*tokenizer)}, also);
  if (const auto model = sentencepiece_model(*tokenizer); !model.empty()) write_beside(files, out.parent_path(), {"tokenizer.model", std::string(model)}, also);

  CommandOutput output;
  output.json = description(*tokenizer);
  output.json.update(Json{{"path", options.out}, {"digest", tokenizer->digest().hex()}, {"documents", statistics.documents}, {"bytes", statistics.bytes},
                          {"distinct_pieces", statistics.distinct_pieces}, {"dropped_pieces", statistics.dropped_pieces}, {"piece_table_bytes", statistics.piece_table_bytes}, {"merges", statistics.merges},
                          {"count_seconds", statistics.count_seconds}, {"merge_seconds", statistics.merge_seconds}, {"seconds", seconds}});
  if (sample.bytes_in_all > statistics.bytes) output.json.update(Json{{"documents_in_all", sample.documents_in_all}, {"bytes_in_all", sample.bytes_in_all}});
  output.text = cat("trained tokenizer: ", options.out, "\ntype: ", tokenizer->type(), "\n", lines_of(output.json));
  for (const auto& path : also) output.text += cat("also written: ", path.get<std::string>(), "\n");
  output.json["also_written"] = also;
  return output;
}

const base::OptionTable<TokExportOptions>& tok_export_options() {
  static const auto table = [] {
    base::OptionTable<TokExportOptions> t;
    t.add("tokenizer", &TokExportOptions::tokenizer, "tokenizer.json, or a sentencepiece tokenizer.model").must();
    t.add("out", &TokExportOptions::out, "folder to write into").must();
    t.add("model_max_length", &TokExportOptions::model_max_length, "context length that tokenizer_config.json states").at_least(1);
    t.add("tiktoken", &TokExportOptions::tiktoken, "also write tokenizer.tiktoken");
    t.add("json", &TokExportOptions::json, "print the result as JSON");
    return t;
  }();
  return table;
}

CommandOutput tok_export(base::FileSystem& files, const TokExportOptions& options) {
  auto tokenizer = load_tokenizer(options.tokenizer);
  std::vector<NamedFile> named = hub_files(*tokenizer, options.model_max_length);
  if (options.tiktoken) named.push_back({"tokenizer.tiktoken", tiktoken_ranks(*tokenizer)});
  files.make_directories(options.out);
  CommandOutput output;
  output.json = description(*tokenizer);
  output.json["files"] = Json::array();
  for (const auto& file : named) write_beside(files, options.out, file, output.json["files"]);
  for (const auto& path : output.json["files"]) output.text += cat("written: ", path.get<std::string>(), "\n");
  return output;
}

}  // namespace picochat::tokenizer
