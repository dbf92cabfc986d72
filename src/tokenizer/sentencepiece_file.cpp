// The fast tokenizer.json of a sentencepiece model: the same vocabulary as a model of Hugging Face's
// `tokenizers`. The library's own model travels inside, base64 in "picochat", and is what we encode with.
#include <algorithm>
#include <unordered_map>

#include "picochat/base/text.hpp"
#include "tokenizer/base64.hpp"
#include "tokenizer/sentencepiece.hpp"

namespace picochat::tokenizer {
namespace {

using base::Json;

// `tokenizers` looks special tokens and bytes up in ordinary text too. Below any path of characters,
// all of ASCII being pieces, such an entry never wins, so "<|end|>" or "<0x41>" in a text stays text.
constexpr double kNeverChosen = -1000;

// Every way to make a piece from two others, as transformers derives merges from a sentencepiece model:
// in order of the piece, and of two ways to one piece the one with the smaller ids first.
Json merges_of(const SentencePieceVocabulary& vocabulary) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = kMinimumVocab; id < vocabulary.pieces.size(); ++id) ids.emplace(vocabulary.pieces[id], id);
  Json merges = Json::array();
  for (size_t id = kMinimumVocab; id < vocabulary.pieces.size(); ++id) {
    const std::string_view piece = vocabulary.pieces[id];
    std::vector<std::pair<size_t, size_t>> ways;
    for (size_t cut = 1; cut < piece.size(); ++cut) {
      auto left = ids.find(piece.substr(0, cut)), right = ids.find(piece.substr(cut));
      if (left != ids.end() && right != ids.end()) ways.emplace_back(left->second, right->second);
    }
    std::sort(ways.begin(), ways.end());
    for (auto [left, right] : ways) merges.push_back(Json::array({vocabulary.pieces[left], vocabulary.pieces[right]}));
  }
  return merges;
}

}  // namespace

std::string write_sentencepiece_json(const SentencePieceVocabulary& vocabulary, std::string_view model, const Json& training,
                                     const std::vector<TokenId>& self_test_ids) {
  const Json space = {{"String", " "}}, mark = {{"String", "\u2581"}};
  Json ours = {{"format", 1}, {"type", "sentencepiece"}, {"sentencepiece_type", vocabulary.unigram ? "unigram" : "bpe"}, {"training", training},
               {"self_test", {{"text", self_test_text()}, {"ids", self_test_ids}}}, {"sentencepiece_model", to_base64(model)}};
  Json file = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", added_tokens_json()},
               {"normalizer", {{"type", "Replace"}, {"pattern", space}, {"content", "\u2581"}}}, {"pre_tokenizer", nullptr}, {"post_processor", nullptr},
               {"decoder", {{"type", "Sequence"}, {"decoders", Json::array({{{"type", "Replace"}, {"pattern", mark}, {"content", " "}}, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}})}}}};
  Json& body = file["model"];
  if (vocabulary.unigram) {
    body = {{"type", "Unigram"}, {"picochat", ours}, {"unk_id", kUnk}, {"vocab", Json::array()}, {"byte_fallback", true}};
    for (size_t id = 0; id < vocabulary.pieces.size(); ++id)
      body["vocab"].push_back(Json::array({vocabulary.pieces[id], id < kMinimumVocab ? kNeverChosen : static_cast<double>(vocabulary.scores[id])}));
  } else {
    body = {{"type", "BPE"}, {"picochat", ours}, {"dropout", nullptr}, {"unk_token", kSpecialTokenText[kUnk]}, {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr}, {"fuse_unk", true}, {"byte_fallback", true}, {"ignore_merges", false}, {"vocab", Json::object()}};
    nlohmann::json vocab = nlohmann::json::object();
    for (size_t id = 0; id < vocabulary.pieces.size(); ++id) vocab[vocabulary.pieces[id]] = id;
    body["vocab"] = vocab;
    body["merges"] = merges_of(vocabulary);
  }
  return base::dump(file, 0) + "\n";
}

}  // namespace picochat::tokenizer
