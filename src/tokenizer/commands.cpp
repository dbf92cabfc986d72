#include "picochat/tokenizer/commands.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/corpus.hpp"

namespace picochat::tokenizer {
namespace {

using base::cat;
using base::Json;

std::string input_bytes(const std::optional<std::string>& path, std::istream& standard_input) {
  if (path) return base::read_file(*path);
  return {std::istreambuf_iterator<char>(standard_input), std::istreambuf_iterator<char>()};
}

// "key: value" lines of the plain members.
std::string lines_of(const Json& object) {
  std::string out;
  for (const auto& [key, value] : object.items()) {
    if (value.is_structured()) continue;
    out += cat(key, ": ", value.is_string() ? value.get<std::string>() : value.is_number_float() ? base::fixed(value.get<double>(), 4) : base::dump(value, -1), "\n");
  }
  return out;
}

Json description(const Tokenizer& tokenizer) {
  return {{"tokenizer_type", tokenizer.type()}, {"vocab_size", tokenizer.vocab_size()}, {"num_special_tokens", kSpecialTokens},
          {"num_text_tokens", tokenizer.vocab_size() - kSpecialTokens}};
}

}  // namespace

const base::OptionTable<TokTrainOptions>& tok_train_options() {
  static const auto table = [] {
    base::OptionTable<TokTrainOptions> t;
    t.add("input", &TokTrainOptions::input, "text file, .jsonl file or folder to learn from").must();
    t.add("out", &TokTrainOptions::out, "tokenizer.json to write").must();
    t.add("tokenizer_type", &TokTrainOptions::tokenizer_type, "kind of tokenizer (hf_bpe is another name of bpe)").choose({"bpe", "hf_bpe", "char", "byte"}).alias("--type");
    t.add("vocab_size", &TokTrainOptions::vocab_size, "largest vocabulary, special tokens included (byte: always 264)").at_least(264);
    t.add("min_freq", &TokTrainOptions::min_freq, "least occurrences of what is learned").at_least(1);
    t.add("bpe_pretokenizer", &TokTrainOptions::bpe_pretokenizer, "bpe: split text by the pattern, or take each document as one piece").choose({"regex", "char"});
    t.add("json", &TokTrainOptions::json, "print the result as JSON");
    return t;
  }();
  return table;
}

CommandOutput tok_train(base::FileSystem& files, const TokTrainOptions& options) {
  TrainOptions train{.type = options.tokenizer_type, .vocab_size = options.vocab_size, .min_freq = options.min_freq, .pretokenizer = options.bpe_pretokenizer};
  corpus::Corpus corpus = corpus::Corpus::open({.input = options.input});
  uint64_t total = 0, read = 0;
  for (const auto& file : corpus.files())
    if (file.included) total += file.bytes;
  base::Progress progress("tokenizer", total, "bytes");
  auto texts = corpus.texts();
  TrainStatistics statistics;
  auto tokenizer = train_tokenizer(train, [&](std::string& text) {
    if (!texts(text)) return false;
    progress.update(std::min(total, read += text.size() + 1));
    return true;
  }, &statistics);
  progress.finish();
  const base::Path out = options.out;
  if (out.has_parent_path()) files.make_directories(out.parent_path());
  base::write_file(files, out, tokenizer->to_json());

  CommandOutput output;
  output.json = description(*tokenizer);
  output.json.update(Json{{"path", options.out}, {"digest", tokenizer->digest().hex()}, {"documents", statistics.documents}, {"bytes", statistics.bytes},
                          {"distinct_pieces", statistics.distinct_pieces}, {"dropped_pieces", statistics.dropped_pieces}, {"merges", statistics.merges},
                          {"count_seconds", statistics.count_seconds}, {"merge_seconds", statistics.merge_seconds}});
  output.text = cat("trained tokenizer: ", options.out, "\ntype: ", tokenizer->type(), "\n", lines_of(output.json));
  return output;
}

const base::OptionTable<TokEncodeOptions>& tok_encode_options() {
  static const auto table = [] {
    base::OptionTable<TokEncodeOptions> t;
    t.add("tokenizer", &TokEncodeOptions::tokenizer, "tokenizer.json").must();
    t.add("input", &TokEncodeOptions::input, "file of text, taken as one document (default: standard input)");
    t.add("json", &TokEncodeOptions::json, "print the ids as a JSON list");
    return t;
  }();
  return table;
}

CommandOutput tok_encode(const TokEncodeOptions& options, std::istream& standard_input) {
  auto tokenizer = load_tokenizer(options.tokenizer);
  std::vector<TokenId> ids = tokenizer->encode(input_bytes(options.input, standard_input));
  CommandOutput output;
  if (options.json) output.json = ids;
  for (TokenId id : ids) output.text += cat(output.text.empty() ? "" : " ", id);
  output.text += '\n';
  return output;
}

const base::OptionTable<TokDecodeOptions>& tok_decode_options() {
  static const auto table = [] {
    base::OptionTable<TokDecodeOptions> t;
    t.add("tokenizer", &TokDecodeOptions::tokenizer, "tokenizer.json").must();
    t.add("input", &TokDecodeOptions::input, "file of token ids (default: standard input)");
    t.add("render_special", &TokDecodeOptions::render_special, "show special tokens as their text");
    return t;
  }();
  return table;
}

CommandOutput tok_decode(const TokDecodeOptions& options, std::istream& standard_input) {
  auto tokenizer = load_tokenizer(options.tokenizer);
  const std::string where = options.input.value_or("standard input");
  const std::string text = input_bytes(options.input, standard_input);
  std::vector<TokenId> ids;
  constexpr std::string_view kBetween = " \t\r\n,[]";
  for (size_t i = text.find_first_not_of(kBetween); i != std::string::npos; i = text.find_first_not_of(kBetween, i)) {
    size_t end = std::min(text.find_first_of(kBetween, i), text.size());
    TokenId id = 0;
    auto [stop, failure] = std::from_chars(text.data() + i, text.data() + end, id);
    if (failure != std::errc() || stop != text.data() + end)
      throw base::bad_input({.what = "this is not a token id", .where = where, .expected = "decimal numbers", .found = base::replace_invalid_utf8(text.substr(i, std::min<size_t>(end - i, 40)))});
    ids.push_back(id);
    i = end;
  }
  return {.text = tokenizer->decode(ids, options.render_special)};
}

const base::OptionTable<TokInspectOptions>& tok_inspect_options() {
  static const auto table = [] {
    base::OptionTable<TokInspectOptions> t;
    t.add("tokenizer", &TokInspectOptions::tokenizer, "tokenizer.json").must();
    t.add("json", &TokInspectOptions::json, "print the result as JSON");
    return t;
  }();
  return table;
}

CommandOutput tok_inspect(const TokInspectOptions& options) {
  auto tokenizer = load_tokenizer(options.tokenizer);
  Json by_length = Json::object();
  std::vector<TokenId> ids;
  size_t not_text = 0;  // tokens that are part of a character
  uint64_t bytes = 0;
  for (TokenId id = kSpecialTokens; id < tokenizer->vocab_size(); ++id) {
    ids.push_back(id);
    bytes += tokenizer->byte_length(id);
    not_text += !base::is_valid_utf8(tokenizer->token_bytes(id));
    const uint32_t length = tokenizer->byte_length(id);
    std::string bin = length == 1 ? "1" : length <= 3 ? "2-3" : length <= 7 ? "4-7" : length <= 15 ? "8-15" : "16+";
    by_length[bin] = by_length.value(bin, 0) + 1;
  }
  std::stable_sort(ids.begin(), ids.end(), [&](TokenId a, TokenId b) { return tokenizer->byte_length(a) > tokenizer->byte_length(b); });
  Json longest = Json::array();
  for (size_t i = 0; i < std::min<size_t>(10, ids.size()); ++i)
    longest.push_back({{"id", ids[i]}, {"bytes", tokenizer->byte_length(ids[i])}, {"text", base::replace_invalid_utf8(tokenizer->token_bytes(ids[i]))}});

  CommandOutput output;
  output.json = description(*tokenizer);
  output.json.update(Json{{"digest", tokenizer->digest().hex()}, {"mean_token_bytes", static_cast<double>(bytes) / static_cast<double>(ids.size())},
                          {"tokens_that_are_part_of_a_character", not_text}, {"tokens_by_bytes", by_length}, {"longest_tokens", longest}});
  output.text = cat("tokenizer: ", options.tokenizer, "\n", lines_of(output.json), "tokens by bytes:");
  for (const auto& [bin, count] : by_length.items()) output.text += cat(" ", bin, ": ", count.get<int64_t>());
  output.text += "\nlongest tokens:\n";
  for (const auto& token : longest) output.text += cat("  ", base::padded(cat(token["id"].get<int64_t>()), 8), base::dump(token["text"], -1), "\n");
  return output;
}

}  // namespace picochat::tokenizer
