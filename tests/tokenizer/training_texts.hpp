// The texts of tests/tokenizer/data/hf_bpe.json, and training on a list of texts.
#pragma once

#include "picochat/base/error.hpp"
#include "picochat/base/json.hpp"
#include "picochat/tokenizer/train.hpp"
#include "support/project.hpp"

namespace picochat::tokenizer {

inline base::Path hf_fixture_path() { return base::Path(kSourceDir) / "tests/tokenizer/data/hf_bpe.json"; }

inline const std::vector<std::string>& hf_texts() {
  static const auto texts = base::read_json(hf_fixture_path()).at("texts").get<std::vector<std::string>>();
  return texts;
}

inline DocumentStream stream_of(std::vector<std::string> texts) {
  return [texts = std::move(texts), next = size_t{0}](std::string& text) mutable {
    if (next == texts.size()) return false;
    text = texts[next++];
    return true;
  };
}

inline std::unique_ptr<Tokenizer> train_on(std::vector<std::string> texts, const TrainOptions& options, TrainStatistics* statistics = nullptr) {
  return train_tokenizer(options, stream_of(std::move(texts)), statistics);
}

}  // namespace picochat::tokenizer
