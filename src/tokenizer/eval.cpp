// `tok eval`: how well a tokenizer fits a text.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/tokenizer/commands.hpp"
#include "tokenizer/model.hpp"
#include "tokenizer/split.hpp"

namespace picochat::tokenizer {
namespace {

using base::cat;
using base::Json;

struct Tally {
  uint64_t documents = 0, bytes = 0, characters = 0, tokens = 0, baseline_tokens = 0;
};

double ratio(uint64_t a, uint64_t b) { return b ? static_cast<double>(a) / static_cast<double>(b) : 0; }

// What a person would call the text: code, or the writing that most of its letters belong to.
std::string kind_of(std::string_view text) {
  struct Range {
    char32_t first, last;
    const char* name;
  };
  constexpr Range kRanges[] = {{'A', 'z', "ascii letters"}, {0xC0, 0x24F, "latin with marks"}, {0x370, 0x3FF, "greek"}, {0x400, 0x52F, "cyrillic"},
                               {0x590, 0x5FF, "hebrew"}, {0x600, 0x77F, "arabic"}, {0x900, 0xDFF, "indic"}, {0xE00, 0xE7F, "thai"},
                               {0x1100, 0x11FF, "hangul"}, {0x3040, 0x30FF, "japanese"}, {0x3400, 0x9FFF, "han"}, {0xAC00, 0xD7AF, "hangul"}};
  std::map<std::string, size_t> counts;
  size_t letters = 0, code_marks = 0;
  for (size_t i = 0; i < text.size();) {
    base::CodePoint c = base::decode_utf8(text, i);
    i += c.length;
    code_marks += c.value < 0x80 && std::string_view("{}()[];=<>_\\/|&#*+$@").find(static_cast<char>(c.value)) != std::string_view::npos;
    if (!c.valid || base::char_class(c.value) != base::CharClass::kLetter) continue;
    ++letters;
    for (const Range& range : kRanges)
      if (c.value >= range.first && c.value <= range.last) ++counts[range.name];
  }
  if (code_marks * 16 > text.size()) return "code or markup";  // prose has about one such mark in a hundred
  if (letters * 4 < text.size() / 4) return "few letters";  // tables, numbers, rules
  if (counts["japanese"] * 5 > letters) return "japanese";  // beside as many han
  if (counts["latin with marks"] * 50 > letters) return "latin with marks";
  std::string best = "other letters";
  size_t most = letters / 2;
  for (const auto& [name, count] : counts)
    if (count > most) best = name, most = count;
  return best;
}

uint64_t count_words(std::string_view text) {
  uint64_t words = 0;
  bool inside = false;
  for (size_t i = 0; i < text.size();) {
    base::CodePoint c = base::decode_utf8(text, i);
    i += c.length;
    const bool space = c.valid && base::char_class(c.value) == base::CharClass::kSpace;
    words += !space && !inside;
    inside = !space;
  }
  return words;
}

}  // namespace

const base::OptionTable<TokEvalOptions>& tok_eval_options() {
  static const auto table = [] {
    base::OptionTable<TokEvalOptions> t;
    t.add("tokenizer", &TokEvalOptions::tokenizer, "tokenizer.json").must();
    t.add("input", &TokEvalOptions::input, "text file, .jsonl file or folder to measure on").must();
    t.add("baseline", &TokEvalOptions::baseline, "another tokenizer to stand beside it (default: one token a byte)");
    t.add("json", &TokEvalOptions::json, "print the result as JSON");
    return t;
  }();
  return table;
}

CommandOutput tok_eval(const TokEvalOptions& options) {
  auto tokenizer = load_tokenizer(options.tokenizer);
  // Bytes are a baseline that needs no file: one token each.
  auto baseline = options.baseline ? load_tokenizer(*options.baseline) : make_tokenizer(byte_model("byte", Split::kNone));
  const std::string baseline_name = options.baseline.value_or("bytes");
  corpus::Corpus corpus = corpus::Corpus::open({.input = options.input});
  std::map<std::string, Tally> kinds;
  Tally all;
  std::vector<uint64_t> used(tokenizer->vocab_size());
  std::unordered_map<std::string, std::pair<uint64_t, uint32_t>> pieces;  // piece -> occurrences, tokens
  uint64_t piece_count = 0, words = 0, changed = 0;
  constexpr size_t kMostPieces = 1'000'000;  // worst pieces are looked for among the first so many
  auto texts = corpus.texts();
  std::vector<TokenId> ids;
  for (std::string text; texts(text);) {
    ids.clear();
    tokenizer->encode(text, ids);
    for (TokenId id : ids) ++used[id];
    changed += tokenizer->decode(ids) != text;
    Tally& kind = kinds[kind_of(text)];
    const uint64_t baseline_tokens = baseline->encode(text).size();
    words += count_words(text);
    for (Tally* tally : {&all, &kind}) {
      tally->baseline_tokens += baseline_tokens;
      ++tally->documents;
      tally->bytes += text.size();
      tally->characters += base::count_code_points(text);
      tally->tokens += ids.size();
    }
    const auto* p = reinterpret_cast<const uint8_t*>(text.data());
    for (const auto *end = p + text.size(), *q = p; p < end; p = q) {
      q = next_piece(p, end);
      ++piece_count;
      std::string piece(reinterpret_cast<const char*>(p), static_cast<size_t>(q - p));
      auto found = pieces.find(piece);
      if (found != pieces.end()) ++found->second.first;
      else if (pieces.size() < kMostPieces) pieces.emplace(piece, std::pair(1, static_cast<uint32_t>(tokenizer->encode(piece).size())));
    }
  }
  if (all.bytes == 0) throw base::bad_input({.what = "there is no text to measure on", .where = options.input});

  auto numbers = [&](const Tally& tally) {
    Json out = {{"documents", tally.documents}, {"bytes", tally.bytes}, {"tokens", tally.tokens}, {"bytes_per_token", ratio(tally.bytes, tally.tokens)},
                {"characters_per_token", ratio(tally.characters, tally.tokens)}};
    out["baseline_bytes_per_token"] = ratio(tally.bytes, tally.baseline_tokens);
    return out;
  };
  using Piece = std::pair<std::string, std::pair<uint64_t, uint32_t>>;
  std::vector<Piece> worst;
  for (const auto& piece : pieces)
    if (piece.second.second > 1) worst.emplace_back(piece);
  auto waste = [](const Piece& piece) { return piece.second.first * (piece.second.second - 1); };
  auto worse = [&](const Piece& a, const Piece& b) { return std::pair(waste(b), a.first) < std::pair(waste(a), b.first); };
  std::partial_sort(worst.begin(), worst.begin() + static_cast<ptrdiff_t>(std::min<size_t>(10, worst.size())), worst.end(), worse);
  worst.resize(std::min<size_t>(10, worst.size()));

  CommandOutput output;
  output.json = numbers(all);
  output.json["baseline"] = baseline_name;
  output.json["fertility"] = ratio(all.tokens, words);               // tokens a word between white space
  output.json["tokens_per_piece"] = ratio(all.tokens, piece_count);  // a piece is a word, a digit, a mark
  output.json["unused_tokens"] = std::count(used.begin() + kSpecialTokens, used.end(), uint64_t{0});
  output.json["documents_that_do_not_decode_to_their_bytes"] = changed;
  output.text = cat("tokenizer: ", options.tokenizer, "\n");
  for (const auto& [key, value] : output.json.items())
    output.text += cat(key, ": ", value.is_number_float() ? base::fixed(value.get<double>(), 3) : value.is_string() ? value.get<std::string>() : base::dump(value, -1), "\n");
  output.text += cat("bytes a token by kind of text, beside ", baseline_name, ":\n");
  for (const auto& [name, tally] : kinds) {
    output.json["by_kind"][name] = numbers(tally);
    output.text += cat("  ", base::padded(name, 18), base::fixed(ratio(tally.bytes, tally.tokens), 3), ", baseline ", base::fixed(ratio(tally.bytes, tally.baseline_tokens), 3), ", ", base::human_bytes(tally.bytes), "\n");
  }
  output.text += "pieces that cost most tokens beyond one:\n";
  output.json["worst_pieces"] = Json::array();
  for (const auto& [piece, cost] : worst) {
    std::string shown = base::replace_invalid_utf8(piece.substr(0, 60));
    output.json["worst_pieces"].push_back({{"piece", shown}, {"occurrences", cost.first}, {"tokens", cost.second}});
    output.text += cat("  ", base::padded(base::dump(shown, -1), 30), " ", cost.second, " tokens, ", base::grouped(static_cast<int64_t>(cost.first)), " times\n");
  }
  // The longest of them: rare names and rules that the training text was full of.
  std::vector<TokenId> unused;
  for (TokenId id = kSpecialTokens; id < used.size(); ++id)
    if (used[id] == 0) unused.push_back(id);
  std::stable_sort(unused.begin(), unused.end(), [&](TokenId a, TokenId b) { return tokenizer->byte_length(a) > tokenizer->byte_length(b); });
  unused.resize(std::min<size_t>(10, unused.size()));
  output.json["longest_unused_tokens"] = Json::array();
  if (!unused.empty()) output.text += "longest tokens that this text does not use:\n";
  for (TokenId id : unused) {
    const std::string shown = base::replace_invalid_utf8(tokenizer->token_bytes(id).substr(0, 60));
    output.json["longest_unused_tokens"].push_back({{"id", id}, {"text", shown}});
    output.text += cat("  ", base::padded(cat(id), 8), base::dump(shown, -1), "\n");
  }
  return output;
}

}  // namespace picochat::tokenizer
