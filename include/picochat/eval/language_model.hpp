// A model that can be asked: tokenizer, shape, weights. Tests make a small random one.
#pragma once

#include <memory>

#include <ATen/core/Tensor.h>

#include "picochat/base/file_system.hpp"
#include "picochat/base/json.hpp"
#include "picochat/gate/model_config.hpp"
#include "picochat/model/transformer.hpp"
#include "picochat/tokenizer/tokenizer.hpp"

namespace picochat::eval {

struct LanguageModel {
  std::shared_ptr<const tokenizer::Tokenizer> tokenizer;
  gate::ModelConfig config;
  at::Tensor parameters;  // flat float32, laid out by model::ParameterLayout, on the device that computes
  model::TransformerOptions compute = {};
  base::Json checkpoint_identity = base::Json::object();  // {path, sha256, step, train_loss}: what a report says it judged
  base::Json tokenizer_identity = base::Json::object();   // {path, sha256, type, vocab_size}
};

// BadInput unless the tokenizer has the size and the digest that the checkpoint was trained with.
void require_tokenizer_of_checkpoint(const tokenizer::Tokenizer& tokenizer, const base::Path& tokenizer_path, const gate::ModelConfig& config,
                                     const base::Json& metadata, const base::Path& checkpoint);

// Reads and verifies both; BadInput when the tokenizer's size is not the checkpoint's vocabulary.
LanguageModel load_language_model(const base::Path& checkpoint, const base::Path& tokenizer, const model::TransformerOptions& compute = {});

}  // namespace picochat::eval
