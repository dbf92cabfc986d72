// `tok encode` and `tok decode`.
#include <charconv>
#include <iterator>

#include "picochat/base/clock.hpp"
#include "picochat/base/console.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/tokenizer/encode_stream.hpp"
#include "tokenizer/command_text.hpp"

namespace picochat::tokenizer {
namespace {

using base::cat;
using base::Json;

std::string input_bytes(const std::optional<std::string>& path, std::istream& standard_input) {
  if (path) return base::read_file(*path);
  return {std::istreambuf_iterator<char>(standard_input), std::istreambuf_iterator<char>()};
}

// Files of rows and folders hold many documents; any other file is one, taken byte for byte.
bool holds_documents(const std::string& input) {
  for (const char* rows : {".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", ".csv"})
    if (input.ends_with(rows)) return true;
  return std::filesystem::is_directory(input);
}

TaggedStream open_documents(const std::string& input) {
  if (holds_documents(input)) {
    return [texts = corpus::Corpus::open({.input = input}).texts()](std::string& text, std::optional<uint64_t>&) { return texts(text); };
  }
  return [input, done = false](std::string& text, std::optional<uint64_t>&) mutable {
    if (done) return false;
    text = base::read_file(input);
    return done = true;
  };
}

void append_number(std::string& out, TokenId id) {
  char digits[10];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, id).ptr);
}

// Ids as the little-endian integers that readers of token files expect, between <bos> and <eos>.
CommandOutput encode_to_file(base::FileSystem& files, const Tokenizer& tokenizer, const TokEncodeOptions& options) {
  if (!options.input) throw base::usage_error({.what = "--out needs --input", .expected = "a file or folder to read documents from"});
  const bool narrow = tokenizer.vocab_size() <= 65536;
  const base::Path out = *options.out;
  const base::Path partial = out.string() + ".partial";
  if (out.has_parent_path()) files.make_directories(out.parent_path());
  auto file = files.create(partial);
  std::vector<uint16_t> words;
  uint64_t documents = 0, bytes = 0, tokens = 0;
  base::Progress progress("encoding", 0, "B");
  const double start = base::monotonic_seconds();
  encode_stream(tokenizer, open_documents(*options.input), [&](const EncodedBatch& batch) {
    if (narrow) {
      words.assign(batch.ids.begin(), batch.ids.end());
      file->append({reinterpret_cast<const char*>(words.data()), words.size() * 2});
    } else {
      file->append({reinterpret_cast<const char*>(batch.ids.data()), batch.ids.size() * 4});
    }
    documents += batch.tags.size(), bytes += batch.text_bytes, tokens += batch.ids.size();
    progress.update(bytes);
  }, {.threads = static_cast<int>(options.threads)});
  file->sync();
  file->close();
  files.rename_replacing(partial, out);
  progress.finish();
  CommandOutput output;
  output.json = {{"path", options.out.value()}, {"token_bytes", narrow ? 2 : 4}, {"documents", documents}, {"bytes", bytes}, {"tokens", tokens},
                 {"seconds", base::monotonic_seconds() - start}};
  output.text = lines_of(output.json);
  return output;
}

}  // namespace

const base::OptionTable<TokEncodeOptions>& tok_encode_options() {
  static const auto table = [] {
    base::OptionTable<TokEncodeOptions> t;
    t.add("tokenizer", &TokEncodeOptions::tokenizer, "tokenizer.json, or a sentencepiece tokenizer.model").must();
    t.add("input", &TokEncodeOptions::input, "text file, taken as one document; file of rows (.jsonl, .parquet, .csv) or folder of documents (default: standard input)");
    t.add("out", &TokEncodeOptions::out, "write the ids to this file: <bos> text <eos> of each document, uint16 up to 65,536 tokens, else uint32");
    t.add("threads", &TokEncodeOptions::threads, "for --out (0: all cores)").at_least(0).at_most(1024);
    t.add("json", &TokEncodeOptions::json, "print the ids as a JSON list, of documents a list of lists; with --out, the result as JSON");
    return t;
  }();
  return table;
}

CommandOutput tok_encode(base::FileSystem& files, const TokEncodeOptions& options, std::istream& standard_input) {
  auto tokenizer = load_tokenizer(options.tokenizer);
  if (options.out) return encode_to_file(files, *tokenizer, options);
  CommandOutput output;
  if (!options.input || !holds_documents(*options.input)) {
    std::vector<TokenId> ids = tokenizer->encode(input_bytes(options.input, standard_input));
    if (options.json) output.json = ids;
    for (TokenId id : ids) {
      if (!output.text.empty()) output.text += ' ';
      append_number(output.text, id);
    }
    output.text += '\n';
    return output;
  }
  auto stream = open_documents(*options.input);
  std::string text;
  if (options.json) output.json = Json::array();
  for (std::optional<uint64_t> none; stream(text, none);) {
    const std::vector<TokenId> ids = tokenizer->encode(text);
    if (options.json) {
      output.json.push_back(ids);
      continue;
    }
    for (size_t i = 0; i < ids.size(); ++i) {
      if (i) output.text += ' ';
      append_number(output.text, ids[i]);
    }
    output.text += '\n';
  }
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

}  // namespace picochat::tokenizer
