// Merging by the definition, on byte strings: rescan for the pair of lowest rank, leftmost, until nothing
// merges. Slow, and the oracle of the encoder.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "picochat/tokenizer/tokenizer.hpp"
#include "tokenizer/byte_alphabet.hpp"

namespace picochat::tokenizer {

class PlainMerge {
 public:
  explicit PlainMerge(const Tokenizer& tokenizer) {
    const auto model = nlohmann::json::parse(tokenizer.to_json()).at("model");
    for (const auto& merge : model.at("merges"))
      ranks_.emplace(std::pair(*from_byte_alphabet(merge[0].get<std::string>()), *from_byte_alphabet(merge[1].get<std::string>())), ranks_.size());
    for (TokenId id = kSpecialTokens; id < tokenizer.vocab_size(); ++id) ids_.emplace(tokenizer.token_bytes(id), id);
  }

  void append(std::string_view piece, std::vector<TokenId>& out) const {
    std::vector<std::string> parts;
    for (char byte : piece) parts.emplace_back(1, byte);
    for (;;) {
      size_t best = ranks_.size(), at = 0;
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        auto found = ranks_.find({parts[i], parts[i + 1]});
        if (found != ranks_.end() && found->second < best) best = found->second, at = i;
      }
      if (best == ranks_.size()) break;
      parts[at] += parts[at + 1];
      parts.erase(parts.begin() + static_cast<ptrdiff_t>(at) + 1);
    }
    for (const auto& part : parts) out.push_back(ids_.at(part));
  }

 private:
  std::map<std::pair<std::string, std::string>, size_t> ranks_;
  std::map<std::string, TokenId, std::less<>> ids_;
};

}  // namespace picochat::tokenizer
