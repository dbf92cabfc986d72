// The encoder of every tokenizer type: split, look the piece up, else merge its bytes.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "tokenizer/bpe_merge.hpp"
#include "tokenizer/cuts.hpp"
#include "tokenizer/model.hpp"
#include "tokenizer/piece_cache.hpp"

namespace picochat::tokenizer {

class ByteLevelTokenizer final : public Tokenizer {
 public:
  // `json` is the file's text; empty: written from the model.
  ByteLevelTokenizer(Model model, std::string json);
  ~ByteLevelTokenizer() override;

  const std::string& type() const override { return model_.type; }
  size_t vocab_size() const override { return model_.tokens.size(); }
  void encode(std::string_view text, std::vector<TokenId>& out) const override;
  using Tokenizer::encode;
  std::string_view token_bytes(TokenId id) const override;
  std::string to_json() const override { return json_; }

 private:
  struct Worker;    // what one thread at a time works in: a cache and scratch memory
  class Borrowed;
  void encode_by_pattern(std::string_view text, Worker& worker, std::vector<TokenId>& out) const;
  void encode_by_character(std::string_view text, std::vector<TokenId>& out) const;
  void merge_piece(std::string_view piece, Worker& worker) const;         // into worker.ids
  void look_up_long_piece(std::string_view piece, Worker& worker) const;  // the same, remembering

  Model model_;
  std::string json_;
  std::array<TokenId, 256> byte_ids_;
  std::optional<PairTable> pairs_;
  std::optional<Cuts> cuts_;
  std::unordered_map<char32_t, TokenId> characters_;  // Split::kCharacter
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Worker>> idle_;
};

}  // namespace picochat::tokenizer
