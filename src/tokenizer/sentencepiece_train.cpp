#include <sentencepiece_trainer.h>

#include <unordered_map>
#include <utility>

#include "picochat/base/clock.hpp"
#include "picochat/base/error.hpp"
#include "picochat/base/interrupt.hpp"
#include "picochat/base/text.hpp"
#include "picochat/base/unicode.hpp"
#include "tokenizer/sentencepiece.hpp"

namespace picochat::tokenizer {
namespace {

using base::cat;

// The library learns from sentences; ours are lines with their line ends, long ones in parts.
constexpr size_t kLongestSentence = 4096;
// Its unigram trainer adds floats per thread: a fixed number of threads gives the same model everywhere.
constexpr int kTrainerThreads = 8;

// All of ASCII that can be seen: text then never needs bytes for it, and no literal "<|end|>" or "<0x41>"
// can be mistaken for a token by readers that look tokens up in text.
std::string visible_ascii() {
  std::string out;
  for (char c = '!'; c <= '~'; ++c) out += c;
  return out;
}

class Sentences final : public sentencepiece::SentenceIterator {
 public:
  Sentences(const DocumentStream& documents, TrainStatistics& statistics) : documents_(documents), statistics_(statistics) { Next(); }

  bool done() const override { return ended_; }
  const std::string& value() const override { return sentence_; }
  sentencepiece::util::Status status() const override {
    return failure_ ? sentencepiece::util::Status(sentencepiece::util::StatusCode::kCancelled, "the stream failed") : sentencepiece::util::Status();
  }

  void Next() override {
    while (at_ == text_.size()) {
      if (!next_document()) return end();
    }
    size_t end = text_.find('\n', at_);
    end = end == std::string::npos ? text_.size() : end + 1;
    if (end - at_ > kLongestSentence) {
      end = at_ + kLongestSentence;
      while ((static_cast<uint8_t>(text_[end]) & 0xC0) == 0x80) --end;  // valid UTF-8: at most three steps
    }
    sentence_.assign(text_, at_, end - at_);
    at_ = end;
  }

  base::Digest digest() { return digest_.finish(); }
  std::exception_ptr failure() const { return failure_; }

 private:
  // After the text comes one sentence more: the library ends the process when a required character never occurs.
  void end() {
    ended_ = std::exchange(last_given_, true) || statistics_.bytes == 0;
    sentence_.clear();
    for (char c : visible_ascii()) sentence_ += {c, ' '};
  }

  // The library has no exceptions of ours pass through it.
  bool next_document() {
    if (failure_) return false;
    try {
      base::throw_if_interrupted();
      if (!documents_(text_)) return false;
    } catch (...) {
      failure_ = std::current_exception();
      return false;
    }
    const uint64_t size = text_.size();
    digest_.update({reinterpret_cast<const char*>(&size), sizeof size});
    digest_.update(text_);
    statistics_.bytes += size;
    ++statistics_.documents;
    if (!base::is_valid_utf8(text_)) text_ = base::replace_invalid_utf8(text_);
    std::erase(text_, '\0');  // the library refuses sentences with it
    at_ = 0;
    return true;
  }

  const DocumentStream& documents_;
  TrainStatistics& statistics_;
  base::Sha256 digest_;
  std::string text_, sentence_;
  size_t at_ = 0;
  bool ended_ = false, last_given_ = false;
  std::exception_ptr failure_;
};

std::unordered_map<std::string, std::string> settings(const TrainOptions& options) {
  std::string markers;
  for (TokenId id = kSystem; id <= kEnd; ++id) markers += cat(markers.empty() ? "" : ",", kSpecialTokenText[id]);
  return {{"model_type", options.sentencepiece_model},
          {"vocab_size", cat(options.vocab_size)},
          {"hard_vocab_limit", "false"},
          {"byte_fallback", "true"},
          {"character_coverage", "0.9999"},
          {"required_chars", visible_ascii()},
          {"split_digits", "true"},
          {"allow_whitespace_only_pieces", "true"},
          {"max_sentence_length", cat(kLongestSentence * 2)},
          {"num_threads", cat(kTrainerThreads)},
          {"minloglevel", "2"},
          // Text is never changed: decoding returns it.
          {"normalization_rule_name", "identity"},
          {"remove_extra_whitespaces", "false"},
          {"add_dummy_prefix", "false"},
          // The ids of every tokenizer of this program.
          {"pad_id", cat(kPad)}, {"pad_piece", std::string(kSpecialTokenText[kPad])},
          {"bos_id", cat(kBos)}, {"bos_piece", std::string(kSpecialTokenText[kBos])},
          {"eos_id", cat(kEos)}, {"eos_piece", std::string(kSpecialTokenText[kEos])},
          {"unk_id", cat(kUnk)}, {"unk_piece", std::string(kSpecialTokenText[kUnk])},
          {"control_symbols", markers}};
}

}  // namespace

std::string train_sentencepiece(const TrainOptions& options, const DocumentStream& documents, TrainStatistics& statistics, base::Digest& digest) {
  const double start = base::monotonic_seconds();
  Sentences sentences(documents, statistics);
  std::string model;
  const auto status = sentences.done() ? sentencepiece::util::Status() : sentencepiece::SentencePieceTrainer::Train(settings(options), &sentences, &model);
  if (sentences.failure()) std::rethrow_exception(sentences.failure());
  if (statistics.bytes == 0) return model;
  if (!status.ok() || model.empty()) {
    throw base::bad_input({.what = "sentencepiece could not train on this text", .found = status.ToString(),
                           .remedy = "ask for a vocabulary that holds the text's characters besides 264 special and byte tokens, or give it more text"});
  }
  digest = sentences.digest();
  statistics.merge_seconds = base::monotonic_seconds() - start;
  return model;
}

}  // namespace picochat::tokenizer
