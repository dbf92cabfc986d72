// A small random model: replies are nonsense, but a function of the prompt.
#pragma once

#include "picochat/eval/language_model.hpp"
#include "picochat/model/parameters.hpp"
#include "picochat/tokenizer/train.hpp"
#include "support/modern_model.hpp"

namespace picochat::eval {

inline gate::ModelConfig tiny_config(int64_t vocab_size) {
  gate::ModelConfig config = test::modern_model(vocab_size, 96, 32);
  config.parallel_residual = true;
  config.tie_embeddings = false;
  config.initializer_range = 0.3;  // wide, so that the likeliest tokens differ from row to row
  return config;
}

inline LanguageModel random_model(const gate::ModelConfig& shape = tiny_config(0), uint64_t seed = 7) {
  LanguageModel model;
  tokenizer::TrainOptions options;
  options.type = "byte";
  bool given = false;
  model.tokenizer = tokenizer::train_tokenizer(options, [&](std::string& text) {
    text = "a";
    return !std::exchange(given, true);
  });
  model.config = shape;
  model.config.vocab_size = static_cast<int64_t>(model.tokenizer->vocab_size());
  model.parameters = model::allocate_flat(model::ParameterLayout(model.config).size());
  model::initialize(model.config, seed, model.parameters);
  model.checkpoint_identity = {{"path", "random"}, {"sha256", nullptr}, {"step", 0}};
  model.tokenizer_identity = {{"path", "byte"}, {"sha256", model.tokenizer->digest().hex()}};
  return model;
}

}  // namespace picochat::eval
