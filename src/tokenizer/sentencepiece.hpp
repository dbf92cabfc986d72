// The second backend: a sentencepiece model (BPE with byte fallback, or unigram) through Google's own
// library. Special tokens and bytes have the ids that they have in every tokenizer.
#pragma once

#include "picochat/tokenizer/train.hpp"
#include "tokenizer/model.hpp"

namespace picochat::tokenizer {

// Learns from the documents; the result is the serialized model, what a tokenizer.model file holds.
std::string train_sentencepiece(const TrainOptions& options, const DocumentStream& documents, TrainStatistics& statistics, base::Digest& digest);

// `model` is a serialized model; BadInput, naming `where`, unless it has our special tokens and bytes.
std::unique_ptr<Tokenizer> make_sentencepiece(std::string model, base::Json training, const std::string& where);

// Whether a parsed tokenizer.json carries a sentencepiece model, and the tokenizer of such a file.
bool is_sentencepiece(const nlohmann::json& file);
std::unique_ptr<Tokenizer> parse_sentencepiece(const nlohmann::json& file, std::string_view text, const std::string& where);

// What tokenizer.json says about a model (sentencepiece_file.cpp).
struct SentencePieceVocabulary {
  bool unigram = false;
  std::vector<std::string> pieces;  // as the library names them, by id
  std::vector<float> scores;
};
std::string write_sentencepiece_json(const SentencePieceVocabulary& vocabulary, std::string_view model, const base::Json& training,
                                     const std::vector<TokenId>& self_test_ids);

}  // namespace picochat::tokenizer
