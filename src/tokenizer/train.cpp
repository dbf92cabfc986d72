#include "picochat/tokenizer/train.hpp"

#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "tokenizer/bpe_train.hpp"
#include "tokenizer/count.hpp"
#include "tokenizer/model.hpp"

namespace picochat::tokenizer {
namespace {

using base::cat;

void check(const TrainOptions& options) {
  const bool bpe = options.type == "bpe" || options.type == "hf_bpe";
  if (!bpe && options.type != "char" && options.type != "byte")
    throw base::usage_error({.what = "unknown tokenizer type", .expected = "bpe, hf_bpe, char or byte", .found = options.type});
  if (options.pretokenizer != "regex" && options.pretokenizer != "char")
    throw base::usage_error({.what = "unknown pre-tokenizer", .expected = "regex or char", .found = options.pretokenizer});
  const int64_t least = kMinimumVocab, most = kMaximumVocab;
  if (options.type != "byte" && (options.vocab_size < least || options.vocab_size > most)) {
    throw base::usage_error({.what = "the vocabulary size is out of range", .where = "--vocab-size",
                             .expected = cat(least, " (8 special tokens and 256 bytes) to ", most), .found = cat(options.vocab_size)});
  }
  if (options.min_freq < 1) throw base::usage_error({.what = "--min-freq must be at least 1", .found = cat(options.min_freq)});
  if (options.max_distinct_pieces < 1000) throw base::usage_error({.what = "the bound of distinct pieces must be at least 1000", .found = cat(options.max_distinct_pieces)});
}

Model train_characters(const TrainOptions& options, const DocumentStream& documents, TrainStatistics& statistics, base::Digest& digest) {
  Model model = byte_model("char", Split::kCharacter);
  double start = base::monotonic_seconds();
  for (const auto& [character, count] : count_characters(documents, options.threads, statistics, digest)) {
    if (model.tokens.size() >= static_cast<size_t>(options.vocab_size)) break;
    if (count < static_cast<uint64_t>(options.min_freq)) break;
    base::append_utf8(model.tokens.emplace_back(), character);
  }
  statistics.count_seconds = base::monotonic_seconds() - start;
  return model;
}

Model train_bpe(const TrainOptions& options, const DocumentStream& documents, TrainStatistics& statistics, base::Digest& digest) {
  Split split = options.pretokenizer == "regex" ? Split::kPattern : Split::kNone;
  Model model = byte_model("bpe", split);
  double start = base::monotonic_seconds();
  PieceCounts counts = count_pieces(documents, split, options.threads, options.max_distinct_pieces, statistics, digest);
  double counted = base::monotonic_seconds();
  learn_merges(model, std::move(counts), options.vocab_size, options.min_freq, options.threads);
  statistics.count_seconds = counted - start;
  statistics.merge_seconds = base::monotonic_seconds() - counted;
  statistics.merges = static_cast<int64_t>(model.merges.size());
  return model;
}

}  // namespace

const base::OptionTable<TrainOptions>& train_options() {
  static const auto table = [] {
    base::OptionTable<TrainOptions> t;
    t.add("tokenizer_type", &TrainOptions::type, "kind of tokenizer (hf_bpe is another name of bpe)").choose({"bpe", "hf_bpe", "char", "byte"});
    t.add("vocab_size", &TrainOptions::vocab_size, "largest vocabulary, special tokens included (byte: always 264)").at_least(kMinimumVocab).at_most(kMaximumVocab);
    t.add("min_freq", &TrainOptions::min_freq, "least occurrences of what is learned").at_least(1);
    t.add("bpe_pretokenizer", &TrainOptions::pretokenizer, "bpe: split text by the pattern, or take each document as one piece").choose({"regex", "char"});
    return t;
  }();
  return table;
}

std::unique_ptr<Tokenizer> train_tokenizer(const TrainOptions& options, const DocumentStream& documents, TrainStatistics* report) {
  check(options);
  TrainStatistics statistics;
  base::Digest digest;
  Model model;
  if (options.type == "byte") {
    model = byte_model("byte", Split::kNone);
  } else {
    model = options.type == "char" ? train_characters(options, documents, statistics, digest) : train_bpe(options, documents, statistics, digest);
    if (statistics.bytes == 0)
      throw base::bad_input({.what = "there is no text to train a tokenizer on", .remedy = "check the corpus: data preview lists what it holds"});
    model.training = {{"documents", statistics.documents}, {"bytes", statistics.bytes}, {"text_sha256", digest.hex()},
                      {"vocab_size", options.vocab_size}, {"min_freq", options.min_freq}};
    if (statistics.dropped_pieces) model.training["dropped_pieces"] = statistics.dropped_pieces;
  }
  if (report) *report = statistics;
  return make_tokenizer(std::move(model));
}

}  // namespace picochat::tokenizer
