#include "tokenizer/sentencepiece.hpp"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <cmath>

#include "picochat/base/error.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "picochat/tokenizer/hub_files.hpp"
#include "tokenizer/base64.hpp"

namespace picochat::tokenizer {
namespace {

using base::cat;

constexpr char32_t kSpaceMark = 0x2581;  // stands for a space inside pieces
constexpr std::string_view kSpaceMarkText = "\u2581";
constexpr TokenId kFirstByte = kSpecialTokens;

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string model, base::Json training, const std::string& where) : model_(std::move(model)) {
    if (auto status = processor_.LoadFromSerializedProto(model_); !status.ok())
      refuse(where, cat("the sentencepiece library cannot read the model (", status.ToString(), ")"));
    read_pieces(where);
    json_ = write_sentencepiece_json(vocabulary_, model_, training, Tokenizer::encode(self_test_text()));
  }

  const std::string& type() const override {
    static const std::string name = "sentencepiece";
    return name;
  }
  // The file as it was read: the same values, perhaps in another order.
  void keep_file(std::string_view text) { json_ = text; }

  size_t vocab_size() const override { return bytes_.size(); }
  std::string to_json() const override { return json_; }
  const std::string& model() const { return model_; }

  std::string_view token_bytes(TokenId id) const override {
    if (id >= bytes_.size()) {
      throw base::bad_input({.what = "a token id is outside the vocabulary", .expected = cat("less than ", bytes_.size()), .found = cat(id),
                             .remedy = "use the tokenizer that these tokens were made with"});
    }
    return bytes_[id];
  }

  // The library replaces what is not UTF-8 and cannot tell U+2581 from a space. Both go around it as
  // bytes, so that decoding returns the text whatever it holds.
  void encode(std::string_view text, std::vector<TokenId>& out) const override {
    size_t plain = 0;
    for (size_t i = 0; i < text.size();) {
      const base::CodePoint c = base::decode_utf8(text, i);
      if (c.valid && c.value != kSpaceMark) {
        i += c.length;
        continue;
      }
      encode_plain(text.substr(plain, i - plain), out);
      for (size_t end = i + c.length; i < end; ++i) out.push_back(kFirstByte + static_cast<uint8_t>(text[i]));
      plain = i;
    }
    encode_plain(text.substr(plain), out);
  }
  using Tokenizer::encode;

 private:
  [[noreturn]] static void refuse(const std::string& where, std::string what, std::string expected = "", std::string found = "") {
    throw base::bad_input({.what = std::move(what), .where = where, .expected = std::move(expected), .found = std::move(found),
                           .remedy = "train it with tok train --tokenizer-type sentencepiece, or take the file from its source again"});
  }

  void encode_plain(std::string_view text, std::vector<TokenId>& out) const {
    if (text.empty()) return;
    std::vector<int> ids;
    const auto status = processor_.Encode(absl::string_view(text.data(), text.size()), &ids);
    base::require(status.ok(), "sentencepiece encodes valid text");
    out.insert(out.end(), ids.begin(), ids.end());
  }

  void read_pieces(const std::string& where) {
    const int count = processor_.GetPieceSize();
    if (static_cast<size_t>(count) < kMinimumVocab || static_cast<size_t>(count) > kMaximumVocab)
      refuse(where, "the sentencepiece model has the wrong number of pieces", cat(kMinimumVocab, " to ", kMaximumVocab), cat(count));
    for (int id = 0; id < count; ++id) {
      const std::string& piece = processor_.IdToPiece(id);
      vocabulary_.pieces.push_back(piece);
      vocabulary_.scores.push_back(processor_.GetScore(id));
      std::string& bytes = bytes_.emplace_back();
      if (id < kSpecialTokens) {
        if (piece != kSpecialTokenText[static_cast<size_t>(id)])
          refuse(where, "a special token is not in its place", cat(kSpecialTokenText[static_cast<size_t>(id)], " with id ", id), piece);
      } else if (id < static_cast<int>(kMinimumVocab)) {
        if (!processor_.IsByte(id)) refuse(where, "the model has no byte fallback where every tokenizer has it", "the 256 bytes with ids 8 to 263", cat("id ", id, " is ", piece));
        bytes.assign(1, static_cast<char>(id - static_cast<int>(kFirstByte)));
      } else {
        for (size_t i = 0; i < piece.size();) {
          const bool space = std::string_view(piece).substr(i).starts_with(kSpaceMarkText);
          bytes += space ? ' ' : piece[i];
          i += space ? kSpaceMarkText.size() : 1;
        }
      }
    }
    // A BPE piece's score is its rank with a minus; a unigram piece's is the logarithm of its probability.
    vocabulary_.unigram = std::any_of(vocabulary_.scores.begin() + kMinimumVocab, vocabulary_.scores.end(),
                                      [](float score) { return score != std::trunc(score); });
  }

  sentencepiece::SentencePieceProcessor processor_;
  std::string model_, json_;
  SentencePieceVocabulary vocabulary_;
  std::vector<std::string> bytes_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece(std::string model, base::Json training, const std::string& where) {
  return std::make_unique<SentencePieceTokenizer>(std::move(model), std::move(training), where);
}

std::string_view sentencepiece_model(const Tokenizer& tokenizer) {
  const auto* one = dynamic_cast<const SentencePieceTokenizer*>(&tokenizer);
  return one ? std::string_view(one->model()) : std::string_view();
}

bool is_sentencepiece(const nlohmann::json& file) {
  static const nlohmann::json::json_pointer kMember("/model/picochat/sentencepiece_model");
  return file.contains(kMember) && file[kMember].is_string();
}

// The model decides; the rest of the file is written from it. So a file whose other members do not
// follow from the model was altered.
std::unique_ptr<Tokenizer> parse_sentencepiece(const nlohmann::json& file, std::string_view text, const std::string& where) {
  auto refuse = [&](std::string what) -> base::Error {
    return base::bad_input({.what = std::move(what), .where = where, .remedy = "train the tokenizer anew, or take the file from its source again"});
  };
  const auto& ours = file["model"]["picochat"];
  auto model = from_base64(ours["sentencepiece_model"].get<std::string>());
  if (!model) throw refuse("\"sentencepiece_model\" is not base64");
  auto tokenizer = std::make_unique<SentencePieceTokenizer>(std::move(*model), base::Json::parse(ours.value("training", nlohmann::json()).dump()), where);
  if (nlohmann::json::parse(tokenizer->to_json()) != file)
    throw refuse("the file contradicts the sentencepiece model it carries: vocabulary, merges or self-test sample were altered");
  tokenizer->keep_file(text);
  return tokenizer;
}

}  // namespace picochat::tokenizer
