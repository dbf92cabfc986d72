// What a tokenizer file holds: the plain data that training makes and encoding is built from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/json.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::tokenizer {

// How text falls into the pieces inside which merges happen.
enum class Split {
  kPattern,    // split.hpp
  kCharacter,  // each code point is a piece and, when it has one, its own token
  kNone,       // the whole text is one piece
};

struct Merge {
  TokenId left, right, result;
};

struct Model {
  std::string type;                 // "bpe", "char", "byte"
  Split split = Split::kPattern;
  std::vector<std::string> tokens;  // bytes by id; the first kSpecialTokens are empty
  std::vector<Merge> merges;        // by rank
  base::Json training;              // a record for people: counts, options, digest of the text
};

inline constexpr size_t kMinimumVocab = kSpecialTokens + 256;
inline constexpr size_t kMaximumVocab = size_t{1} << 21;
inline constexpr size_t kMaximumMerges = size_t{1} << 21;

// The specials and the 256 bytes, numbered as Hugging Face's trainer does; no merges.
Model byte_model(std::string type, Split split);

// file.cpp
std::string write_model(const Model& model, const std::vector<TokenId>& self_test_ids);
std::string_view self_test_text();
base::Json added_tokens_json();  // the eight special tokens, as every tokenizer.json lists them
nlohmann::json parse_file(std::string_view json, const std::string& where);
struct ParsedModel {
  Model model;
  std::string self_test;              // empty: the file has none
  std::vector<TokenId> self_test_ids;
};
ParsedModel parse_model(const nlohmann::json& file, const std::string& where);

// The tokenizer of a freshly trained model.
std::unique_ptr<Tokenizer> make_tokenizer(Model model);

}  // namespace picochat::tokenizer
