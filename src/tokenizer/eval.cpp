// `tok eval`: how well a tokenizer fits a text.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/corpus/corpus.hpp"
#include "picochat/tokenizer/commands.hpp"
#include "tokenizer/split.hpp"

namespace picochat::tokenizer {
namespace {

using base::cat;
using base::Json;

struct Tally {
  uint64_t documents = 0, bytes = 0, characters = 0, tokens = 0, baseline_tokens = 0;
};

double ratio(uint64_t a, uint64_t b) { return b ? static_cast<double>(a) / static_cast<double>(b) : 0; }

// The writing that most letters of a text belong to, by block; what a person would call the text.
std::string writing_of(std::string_view text) {
  struct Range {
    char32_t first, last;
    const char* name;
  };
  constexpr Range kRanges[] = {{'A', 'z', "ascii letters"}, {0xC0, 0x24F, "latin with marks"}, {0x370, 0x3FF, "greek"}, {0x400, 0x52F, "cyrillic"},
                               {0x590, 0x5FF, "hebrew"}, {0x600, 0x77F, "arabic"}, {0x900, 0xDFF, "indic"}, {0xE00, 0xE7F, "thai"},
                               {0x1100, 0x11FF, "hangul"}, {0x3040, 0x30FF, "japanese"}, {0x3400, 0x9FFF, "han"}, {0xAC00, 0xD7AF, "hangul"}};
  std::map<std::string, size_t> counts;
  size_t letters = 0;
  for (size_t i = 0; i < text.size();) {
    base::CodePoint c = base::decode_utf8(text, i);
    i += c.length;
    if (!c.valid || base::char_class(c.value) != base::CharClass::kLetter) continue;
    ++letters;
    for (const Range& range : kRanges)
      if (c.value >= range.first && c.value <= range.last) ++counts[range.name];
  }
  if (letters * 4 < text.size() / 4) return "few letters";  // tables, numbers, rules
  if (counts["japanese"] * 5 > letters) return "japanese";  // beside as many han
  if (counts["latin with marks"] * 50 > letters) return "latin with marks";
  std::string best = "other letters";
  size_t most = letters / 2;
  for (const auto& [name, count] : counts)
    if (count > most) best = name, most = count;
  return best;
}

}  // namespace

const base::OptionTable<TokEvalOptions>& tok_eval_options() {
  static const auto table = [] {
    base::OptionTable<TokEvalOptions> t;
    t.add("tokenizer", &TokEvalOptions::tokenizer, "tokenizer.json").must();
    t.add("input", &TokEvalOptions::input, "text file, .jsonl file or folder to measure on").must();
    t.add("baseline", &TokEvalOptions::baseline, "another tokenizer.json to stand beside it");
    t.add("json", &TokEvalOptions::json, "print the result as JSON");
    return t;
  }();
  return table;
}

CommandOutput tok_eval(const TokEvalOptions& options) {
  auto tokenizer = load_tokenizer(options.tokenizer);
  auto baseline = options.baseline ? load_tokenizer(*options.baseline) : nullptr;
  corpus::Corpus corpus = corpus::Corpus::open({.input = options.input});
  std::map<std::string, Tally> kinds;
  Tally all;
  std::vector<uint64_t> used(tokenizer->vocab_size());
  std::unordered_map<std::string, std::pair<uint64_t, uint32_t>> pieces;  // piece -> occurrences, tokens
  uint64_t piece_count = 0, changed = 0;
  constexpr size_t kMostPieces = 1'000'000;  // worst pieces are looked for among the first so many
  auto texts = corpus.texts();
  std::vector<TokenId> ids;
  for (std::string text; texts(text);) {
    ids.clear();
    tokenizer->encode(text, ids);
    for (TokenId id : ids) ++used[id];
    changed += tokenizer->decode(ids) != text;
    for (Tally* tally : {&all, &kinds[writing_of(text)]}) {
      ++tally->documents;
      tally->bytes += text.size();
      tally->characters += base::count_code_points(text);
      tally->tokens += ids.size();
    }
    if (baseline) {
      uint64_t count = baseline->encode(text).size();
      all.baseline_tokens += count;
      kinds[writing_of(text)].baseline_tokens += count;
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
    if (baseline) out["baseline_bytes_per_token"] = ratio(tally.bytes, tally.baseline_tokens);
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
  output.json["fertility"] = ratio(all.tokens, piece_count);  // tokens a piece (a word, number or mark)
  output.json["unused_tokens"] = std::count(used.begin() + kSpecialTokens, used.end(), uint64_t{0});
  output.json["documents_that_do_not_decode_to_their_bytes"] = changed;
  output.text = cat("tokenizer: ", options.tokenizer, baseline ? cat("\nbaseline: ", *options.baseline) : "", "\n");
  for (const auto& [key, value] : output.json.items()) output.text += cat(key, ": ", value.is_number_float() ? base::fixed(value.get<double>(), 3) : base::dump(value, -1), "\n");
  output.text += "by writing:\n";
  for (const auto& [name, tally] : kinds) {
    output.json["by_writing"][name] = numbers(tally);
    output.text += cat("  ", base::padded(name, 18), base::fixed(ratio(tally.bytes, tally.tokens), 3), " bytes a token",
                       baseline ? cat(" (baseline ", base::fixed(ratio(tally.bytes, tally.baseline_tokens), 3), ")") : "", ", ", base::human_bytes(tally.bytes), "\n");
  }
  output.text += "pieces that cost most tokens beyond one:\n";
  output.json["worst_pieces"] = Json::array();
  for (const auto& [piece, cost] : worst) {
    std::string shown = base::replace_invalid_utf8(piece.substr(0, 60));
    output.json["worst_pieces"].push_back({{"piece", shown}, {"occurrences", cost.first}, {"tokens", cost.second}});
    output.text += cat("  ", base::padded(base::dump(shown, -1), 30), " ", cost.second, " tokens, ", base::grouped(static_cast<int64_t>(cost.first)), " times\n");
  }
  return output;
}

}  // namespace picochat::tokenizer
