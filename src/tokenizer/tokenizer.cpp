#include "picochat/tokenizer/tokenizer.hpp"

#include <algorithm>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/threads.hpp"
#include "tokenizer/byte_alphabet.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/sentencepiece.hpp"

namespace picochat::tokenizer {

std::string Tokenizer::decode(std::span<const TokenId> ids, bool render_special) const {
  std::string out;
  for (TokenId id : ids) {
    out += token_bytes(id);
    if (render_special && id < kSpecialTokens) out += kSpecialTokenText[id];
  }
  return out;
}

Model byte_model(std::string type, Split split) {
  Model model{.type = std::move(type), .split = split};
  model.tokens.resize(kSpecialTokens);
  for (uint8_t byte : bytes_by_character()) model.tokens.emplace_back(1, static_cast<char>(byte));
  return model;
}

std::unique_ptr<Tokenizer> make_tokenizer(Model model) {
  return std::make_unique<ByteLevelTokenizer>(std::move(model), "");
}

std::unique_ptr<Tokenizer> load_tokenizer(const base::Path& path) {
  if (path.extension() == ".model") return make_sentencepiece(base::read_file(path), nullptr, path.string());
  return parse_tokenizer(base::read_file(path), path.string());
}

std::unique_ptr<Tokenizer> parse_tokenizer(std::string_view json, const std::string& where) {
  const nlohmann::json file = parse_file(json, where);
  if (is_sentencepiece(file)) return parse_sentencepiece(file, json, where);
  ParsedModel parsed = parse_model(file, where);
  auto tokenizer = std::make_unique<ByteLevelTokenizer>(std::move(parsed.model), std::string(json));
  if (!parsed.self_test.empty()) {
    std::vector<TokenId> ids = static_cast<const Tokenizer&>(*tokenizer).encode(parsed.self_test);
    if (ids != parsed.self_test_ids) {
      size_t at = std::mismatch(ids.begin(), ids.end(), parsed.self_test_ids.begin(), parsed.self_test_ids.end()).first - ids.begin();
      throw base::bad_input({.what = "the tokenizer's self-test sample does not encode to the ids recorded in the file", .where = where,
                             .found = base::cat("the first difference is at token ", at),
                             .remedy = "the vocabulary or the merges were altered; take the file from its source again"});
    }
  }
  return tokenizer;
}

void encode_documents(const Tokenizer& tokenizer, std::span<const std::string> documents,
                      std::vector<std::vector<TokenId>>& out, int threads) {
  // Groups of about this many bytes keep threads busy on many small documents.
  constexpr size_t kGroupBytes = 256 * 1024;
  std::vector<size_t> starts{0};
  size_t bytes = 0;
  for (size_t i = 0; i < documents.size(); ++i) {
    bytes += documents[i].size();
    if (bytes >= kGroupBytes) starts.push_back(i + 1), bytes = 0;
  }
  if (starts.back() != documents.size()) starts.push_back(documents.size());
  out.resize(documents.size());
  base::parallel_for(starts.size() - 1, [&](size_t group) {
    for (size_t i = starts[group]; i < starts[group + 1]; ++i) {
      out[i].clear();
      tokenizer.encode(documents[i], out[i]);
    }
  }, threads);
}

}  // namespace picochat::tokenizer
