// tokenizer.json, written and read. The layout is Hugging Face's; our own record stands in the
// "picochat" member of "model", the one place where their reader passes over what it does not know.
#include <algorithm>
#include <unordered_map>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/model.hpp"
#include "tokenizer/split.hpp"

namespace picochat::tokenizer {
namespace {

using base::cat;
using base::Json;

// Any scalar value, line ends included.
constexpr std::string_view kCharacterPattern = R"([\s\S])";

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

Json pre_tokenizer_json(Split split) {
  Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  if (split == Split::kNone) return bytes;
  std::string_view pattern = split == Split::kPattern ? kSplitPattern : kCharacterPattern;
  Json isolate = {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({isolate, bytes})}};
}

std::string_view split_name(Split split) {
  return split == Split::kPattern ? "regex" : split == Split::kCharacter ? "code_point" : "char";
}

// Errors of reading: all BadInput at one place.
class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  [[noreturn]] void refuse(std::string what, std::string expected = "", std::string found = "") const {
    throw base::bad_input({.what = std::move(what), .where = where_, .expected = std::move(expected), .found = std::move(found),
                           .remedy = "train the tokenizer anew, or take the file from its source again"});
  }
  void check(bool condition, const char* what) const {
    if (!condition) refuse(what);
  }
  const nlohmann::json& member(const nlohmann::json& object, const char* key, nlohmann::json::value_t type) const {
    auto found = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || found == object.end()) refuse(cat("\"", key, "\" is missing"));
    if (found->type() != type && !(found->is_number_integer() && type == nlohmann::json::value_t::number_unsigned))
      refuse(cat("\"", key, "\" has the wrong type"), "", found->type_name());
    return *found;
  }
  TokenId id(const nlohmann::json& value, const char* of) const {
    if (!value.is_number_unsigned() || value.get<uint64_t>() >= kMaximumVocab)
      refuse(cat("a token id of ", of, " is not a small non-negative integer"), cat("less than ", kMaximumVocab), value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
    return value.get<TokenId>();
  }

 private:
  std::string where_;
};

using Type = nlohmann::json::value_t;

Split read_split(const Reader& reader, const nlohmann::json& file) {
  auto pre_tokenizer = file.find("pre_tokenizer");
  if (pre_tokenizer == file.end()) reader.refuse("\"pre_tokenizer\" is missing");
  for (Split split : {Split::kPattern, Split::kCharacter, Split::kNone}) {
    if (nlohmann::json(pre_tokenizer_json(split)) == *pre_tokenizer) return split;
  }
  reader.refuse("the pre-tokenizer is none of those that this program implements",
                "Sequence[Split(the pattern of docs/formats/tokenizer.md, Isolated), ByteLevel], or ByteLevel alone");
}

void read_vocabulary(const Reader& reader, const nlohmann::json& vocab, Model& model) {
  if (vocab.size() < kMinimumVocab) reader.refuse("the vocabulary is too small", cat("at least ", kMinimumVocab, " tokens"), cat(vocab.size()));
  if (vocab.size() > kMaximumVocab) reader.refuse("the vocabulary is too large", cat("at most ", kMaximumVocab, " tokens"), cat(vocab.size()));
  model.tokens.resize(vocab.size());
  std::vector<bool> taken(vocab.size());
  for (const auto& [text, value] : vocab.items()) {
    TokenId id = reader.id(value, "\"vocab\"");
    if (id >= vocab.size()) reader.refuse("token ids have a gap", cat("ids 0 to ", vocab.size() - 1, ", one for each token"), cat("id ", id));
    if (taken[id]) reader.refuse("a token id stands twice in the vocabulary", "one token for each id", cat("id ", id, " again, for ", json_string(text)));
    taken[id] = true;
    if (id < kSpecialTokens) {
      if (text != kSpecialTokenText[id]) reader.refuse("a special token is not in its place", cat(kSpecialTokenText[id], " with id ", id), json_string(text));
      continue;
    }
    auto bytes = from_byte_alphabet(text);
    if (!bytes || bytes->empty()) reader.refuse(cat("token ", id, " is not written in the byte-level alphabet"), "", json_string(text));
    model.tokens[id] = std::move(*bytes);
  }
}

void read_merges(const Reader& reader, const nlohmann::json& merges, const nlohmann::json& vocab, Model& model) {
  auto id_of = [&](const std::string& text, size_t rank) {
    auto found = vocab.find(text);
    if (found == vocab.end()) reader.refuse(cat("merge ", rank, " uses a token that the vocabulary lacks"), "", json_string(text));
    return found->get<TokenId>();
  };
  if (merges.size() > kMaximumMerges) reader.refuse("there are too many merges", cat("at most ", kMaximumMerges), cat(merges.size()));
  model.merges.reserve(merges.size());
  for (const auto& merge : merges) {
    size_t rank = model.merges.size();
    std::string left, right;
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get<std::string>(), right = merge[1].get<std::string>();
    } else if (merge.is_string()) {  // the older form, "left right"
      std::string text = merge.get<std::string>();
      size_t space = text.find(' ');
      if (space == std::string::npos) reader.refuse(cat("merge ", rank, " is not a pair of tokens"));
      left = text.substr(0, space), right = text.substr(space + 1);
    } else {
      reader.refuse(cat("merge ", rank, " is not a pair of tokens"));
    }
    Merge ids{id_of(left, rank), id_of(right, rank), id_of(left + right, rank)};
    if (std::min({ids.left, ids.right, ids.result}) < kSpecialTokens) reader.refuse(cat("merge ", rank, " touches a special token"));
    model.merges.push_back(ids);
  }
}

void check_bytes(const Reader& reader, const Model& model) {
  std::array<bool, 256> seen{};
  for (const auto& bytes : model.tokens)
    if (bytes.size() == 1) seen[static_cast<uint8_t>(bytes[0])] = true;
  auto missing = std::find(seen.begin(), seen.end(), false);
  if (missing != seen.end()) reader.refuse("the vocabulary lacks a byte, so some text could not be encoded", "all 256 bytes", cat("no token for byte ", missing - seen.begin()));
}

// Each token beyond the bytes must be one code point: nothing else can ever match.
void check_characters(const Reader& reader, const Model& model) {
  for (size_t id = kSpecialTokens; id < model.tokens.size(); ++id) {
    const std::string& bytes = model.tokens[id];
    base::CodePoint c = base::decode_utf8(bytes, 0);
    if (bytes.size() > 1 && (!c.valid || c.length != bytes.size())) reader.refuse(cat("token ", id, " of a character tokenizer is not one character"));
  }
}

void check_added_tokens(const Reader& reader, const nlohmann::json& added) {
  reader.check(added.size() == kSpecialTokens, "\"added_tokens\" must be the eight special tokens");
  for (int i = 0; i < kSpecialTokens; ++i) {
    const auto& token = added[i];
    reader.check(token.is_object() && token.value("id", nlohmann::json()) == i && token.value("content", nlohmann::json()) == kSpecialTokenText[i] &&
                     token.value("special", nlohmann::json()) == true,
                 "\"added_tokens\" must be the eight special tokens, in order, marked special");
  }
}

ParsedModel interpret(const Reader& reader, const nlohmann::json& file) {
  reader.check(file.is_object(), "the tokenizer file is not a JSON object");
  if (auto normalizer = file.find("normalizer"); normalizer != file.end() && !normalizer->is_null())
    reader.refuse("the file has a normalizer; decoding would not return the input", "no normalizer");
  const auto& model_json = reader.member(file, "model", Type::object);
  const auto& kind = reader.member(model_json, "type", Type::string);
  if (kind != "BPE") reader.refuse("the model is of a type that this program does not implement", "BPE", kind.get<std::string>());
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    auto found = model_json.find(key);
    if (found != model_json.end() && !found->is_null() && *found != "") reader.refuse(cat("the model sets \"", key, "\", which this program does not implement"), "null");
  }
  const auto& vocab = reader.member(model_json, "vocab", Type::object);
  const auto& merges = reader.member(model_json, "merges", Type::array);
  check_added_tokens(reader, reader.member(file, "added_tokens", Type::array));

  ParsedModel parsed;
  Model& model = parsed.model;
  model.split = read_split(reader, file);
  read_vocabulary(reader, vocab, model);
  read_merges(reader, merges, vocab, model);
  check_bytes(reader, model);
  if (model.split == Split::kCharacter) check_characters(reader, model);
  bool ignore_merges = model_json.value("ignore_merges", nlohmann::json(false)) == true;
  if (ignore_merges != (model.split == Split::kCharacter)) reader.refuse("\"ignore_merges\" does not go with the pre-tokenizer");
  model.type = model.split == Split::kCharacter ? "char" : model.split == Split::kNone && model.merges.empty() ? "byte" : "bpe";
  if (model.type != "bpe" && !model.merges.empty()) reader.refuse(cat("a ", model.type, " tokenizer has no merges"));

  // Another program may have written the file anew and dropped our record; the rest says it all.
  auto ours = model_json.find("picochat");
  if (ours == model_json.end()) return parsed;
  const auto& type = reader.member(*ours, "type", Type::string);
  if (type != model.type) reader.refuse("the recorded type contradicts the vocabulary", model.type, type.get<std::string>());
  model.training = Json::parse(ours->value("training", nlohmann::json()).dump());
  const auto& self_test = reader.member(*ours, "self_test", Type::object);
  parsed.self_test = reader.member(self_test, "text", Type::string).get<std::string>();
  for (const auto& id : reader.member(self_test, "ids", Type::array)) parsed.self_test_ids.push_back(reader.id(id, "the self-test"));
  return parsed;
}

}  // namespace

// One sentence of each kind of text that the scanner treats differently.
std::string_view self_test_text() {
  return "The quick brown fox's 12 jumps can't over-run\r\n\tif (x != 0) { return 3.14; }  \n\n"
         "  naïve café — déjà vu… Это проверка. 你好，世界！ مرحبا नमस्ते สวัสดี 👩‍💻 <|end|> <unk>   ";
}

base::Json added_tokens_json() {
  Json added = Json::array();
  for (int i = 0; i < kSpecialTokens; ++i) {
    added.push_back({{"id", i}, {"content", kSpecialTokenText[i]}, {"single_word", false}, {"lstrip", false}, {"rstrip", false},
                     {"normalized", false}, {"special", true}});
  }
  return added;
}

std::string write_model(const Model& model, const std::vector<TokenId>& self_test_ids) {
  Json ours = {{"format", 1}, {"type", model.type}, {"pretokenizer", split_name(model.split)}, {"training", model.training},
               {"self_test", {{"text", self_test_text()}, {"ids", self_test_ids}}}};
  Json decoder = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};

  // The vocabulary is written by hand: a JSON object of this many members is slow to build.
  std::vector<std::string> text(model.tokens.size());
  for (size_t id = 0; id < text.size(); ++id)
    text[id] = json_string(id < kSpecialTokens ? std::string(kSpecialTokenText[id]) : to_byte_alphabet(model.tokens[id]));
  std::string out = "{\n";
  out += cat("\"version\": \"1.0\",\n\"truncation\": null,\n\"padding\": null,\n\"added_tokens\": ", base::dump(added_tokens_json(), -1),
             ",\n\"normalizer\": null,\n\"pre_tokenizer\": ", base::dump(pre_tokenizer_json(model.split), -1),
             ",\n\"post_processor\": null,\n\"decoder\": ", base::dump(decoder, -1), ",\n\"model\": {\n\"type\": \"BPE\",\n\"picochat\": ",
             base::dump(ours, -1), ",\n\"dropout\": null,\n\"unk_token\": null,\n\"continuing_subword_prefix\": null,\n"
             "\"end_of_word_suffix\": null,\n\"fuse_unk\": false,\n\"byte_fallback\": false,\n\"ignore_merges\": ",
             model.split == Split::kCharacter, ",\n\"vocab\": {");
  for (size_t id = 0; id < text.size(); ++id) out += cat(id ? ",\n" : "\n", text[id], ": ", id);
  out += "\n},\n\"merges\": [";
  for (size_t rank = 0; rank < model.merges.size(); ++rank) {
    const Merge& merge = model.merges[rank];
    out += cat(rank ? ",\n[" : "\n[", text[merge.left], ", ", text[merge.right], "]");
  }
  out += "\n]\n}\n}\n";
  return out;
}

nlohmann::json parse_file(std::string_view text, const std::string& where) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    size_t at = std::min(error.byte, text.size());
    auto line = 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n');
    Reader(cat(where, ":", line)).refuse("the tokenizer file is not valid JSON", "", at == text.size() ? "it ends too early" : "");
  } catch (const nlohmann::json::out_of_range&) {  // "1e999": the grammar allows it, no double holds it
    Reader(where).refuse("the tokenizer file is not valid JSON", "", "a number is too large");
  }
}

ParsedModel parse_model(const nlohmann::json& file, const std::string& where) {
  try {
    return interpret(Reader(where), file);
  } catch (const nlohmann::json::exception&) {
    Reader(where).refuse("the tokenizer file has a value of the wrong type");
  }
}

}  // namespace picochat::tokenizer
