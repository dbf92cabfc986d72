#include "picochat/tokenizer/train.hpp"

#include <algorithm>

#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "tokenizer/bpe_train.hpp"
#include "tokenizer/count.hpp"
#include "tokenizer/model.hpp"
#include "tokenizer/sentencepiece.hpp"

namespace picochat::tokenizer {
namespace {

using base::cat;

void check(const TrainOptions& options) {
  const bool bpe = options.type == "bpe" || options.type == "hf_bpe";
  if (!bpe && options.type != "char" && options.type != "byte" && options.type != "sentencepiece")
    throw base::usage_error({.what = "unknown tokenizer type", .expected = "bpe, hf_bpe, char, byte or sentencepiece", .found = options.type});
  if (options.sentencepiece_model != "bpe" && options.sentencepiece_model != "unigram")
    throw base::usage_error({.what = "unknown kind of sentencepiece model", .expected = "bpe or unigram", .found = options.sentencepiece_model});
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
  learn_merges(model, std::move(counts), options);
  statistics.count_seconds = counted - start;
  statistics.merge_seconds = base::monotonic_seconds() - counted;
  statistics.merges = static_cast<int64_t>(model.merges.size());
  return model;
}

}  // namespace

DocumentSample sample_documents(const std::function<DocumentStream()>& open, uint64_t budget) {
  constexpr uint64_t kSeed = 0x746F6B656E697A65;  // its own order, unlike that of the held-out split
  DocumentSample sample;
  struct Entry {
    uint64_t hash, bytes;
  };
  std::vector<Entry> entries;
  std::string text;
  for (auto stream = open(); stream(text);) {
    entries.push_back({base::hash64(text, kSeed), text.size()});
    sample.bytes_in_all += text.size();
  }
  sample.documents_in_all = entries.size();
  if (sample.bytes_in_all <= budget) {
    sample.documents = open();
    return sample;
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.hash < b.hash; });
  // Copies of a document have one hash and are taken together.
  uint64_t taken = 0, last = 0;
  for (size_t i = 0; i < entries.size();) {
    uint64_t group = 0;
    size_t next = i;
    for (; next < entries.size() && entries[next].hash == entries[i].hash; ++next) group += entries[next].bytes;
    if (taken + group > budget) break;
    taken += group, last = entries[i].hash, i = next;
  }
  if (taken == 0)
    throw base::usage_error({.what = "the sample is smaller than a document", .expected = cat("documents of about ", sample.bytes_in_all / entries.size(), " bytes to fit"),
                             .found = cat(budget, " bytes"), .remedy = "ask for a larger sample"});
  sample.documents = [stream = open(), last](std::string& document) {
    while (stream(document))
      if (base::hash64(document, kSeed) <= last) return true;
    return false;
  };
  return sample;
}

std::unique_ptr<Tokenizer> train_tokenizer(const TrainOptions& options, const DocumentStream& documents, TrainStatistics* report) {
  check(options);
  TrainStatistics statistics;
  base::Digest digest;
  if (options.type == "byte") return make_tokenizer(byte_model("byte", Split::kNone));
  Model model;
  std::string sentencepiece;
  if (options.type == "sentencepiece") sentencepiece = train_sentencepiece(options, documents, statistics, digest);
  else if (options.type == "char") model = train_characters(options, documents, statistics, digest);
  else model = train_bpe(options, documents, statistics, digest);
  if (statistics.bytes == 0)
    throw base::bad_input({.what = "there is no text to train a tokenizer on", .remedy = "check the corpus: data preview lists what it holds"});
  base::Json training = {{"documents", statistics.documents}, {"bytes", statistics.bytes}, {"text_sha256", digest.hex()}, {"vocab_size", options.vocab_size}};
  if (options.type != "sentencepiece") training["min_freq"] = options.min_freq;
  if (statistics.dropped_pieces) training["dropped_pieces"] = statistics.dropped_pieces;
  if (report) *report = statistics;
  if (options.type == "sentencepiece") return make_sentencepiece(std::move(sentencepiece), std::move(training), "the trained model");
  model.training = std::move(training);
  return make_tokenizer(std::move(model));
}

}  // namespace picochat::tokenizer
