// Text to token ids and back. Every tokenizer is byte-level: any bytes encode, and decoding returns
// exactly those bytes. Its file is a Hugging Face tokenizer.json (docs/formats/tokenizer.md).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "picochat/base/digest.hpp"
#include "picochat/base/file_system.hpp"

namespace picochat::tokenizer {

using TokenId = uint32_t;

// The same ids in every tokenizer. <unk> is reserved and never produced.
inline constexpr TokenId kPad = 0, kBos = 1, kEos = 2, kUnk = 3, kSystem = 4, kUser = 5, kAssistant = 6, kEnd = 7;
inline constexpr int kSpecialTokens = 8;
inline constexpr std::array<std::string_view, kSpecialTokens> kSpecialTokenText = {
    "<pad>", "<bos>", "<eos>", "<unk>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual const std::string& type() const = 0;  // "bpe", "char", "byte"
  virtual size_t vocab_size() const = 0;        // special tokens included

  // Appends the ids of `text` to `out`. Text is always ordinary: "<|end|>" inside it is six plain
  // characters and more, never a special token. Takes any bytes; safe to call from many threads.
  virtual void encode(std::string_view text, std::vector<TokenId>& out) const = 0;
  std::vector<TokenId> encode(std::string_view text) const {
    std::vector<TokenId> out;
    encode(text, out);
    return out;
  }

  // The bytes that `id` stands for; empty for special tokens. BadInput when id >= vocab_size().
  virtual std::string_view token_bytes(TokenId id) const = 0;

  // The bytes of `ids`. Special tokens become nothing, or their text when asked for.
  std::string decode(std::span<const TokenId> ids, bool render_special = false) const;

  // 0 for special tokens: summed over targets it is the denominator of bits per byte.
  uint32_t byte_length(TokenId id) const { return static_cast<uint32_t>(token_bytes(id).size()); }

  // The file, byte for byte; digest() is its SHA-256.
  virtual std::string to_json() const = 0;
  base::Digest digest() const { return base::sha256(to_json()); }
};

// Reads and checks tokenizer.json: ids dense and unique, merges over known tokens, special tokens in
// place, and the self-test sample encoding to its recorded ids. BadInput names what is wrong.
std::unique_ptr<Tokenizer> load_tokenizer(const base::Path& path);
std::unique_ptr<Tokenizer> parse_tokenizer(std::string_view json, const std::string& where);

// out[i] = ids of documents[i], in order, whatever the number of threads (0: all cores).
void encode_documents(const Tokenizer& tokenizer, std::span<const std::string> documents,
                      std::vector<std::vector<TokenId>>& out, int threads = 0);

}  // namespace picochat::tokenizer
